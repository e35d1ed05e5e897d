//! The description of the API.

use css_vpcep_exporter::{
    change::{ServiceView, validate},
    model::Field,
};

use super::*;

async fn document() -> Value {
    Admin::start().await.ask("GET", "/openapi.json", None, &[], "").await.json()
}

#[tokio::test]
async fn every_answer_is_described() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let what = format!("{what} {status}");
                let description = response["description"].as_str();
                assert!(description.is_some_and(|text| !text.is_empty()), "{what}");
                let content: Vec<_> = response["content"].as_object().unwrap().keys().collect();
                if status.starts_with('2') {
                    continue;
                }
                assert_eq!(content, ["application/problem+json"], "{what}");
            }
            let is_open = !path.starts_with("/api/");
            assert_eq!(operation["security"].is_null(), is_open, "{what}");
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn the_schema_of_a_service_has_every_member() {
    let document = document().await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut schema = keys(&document["components"]["schemas"]["Service"]["properties"]);
    let mut service = keys(&serde_json::to_value(ServiceView::from(&service())).unwrap());
    schema.sort_unstable();
    service.sort_unstable();
    assert_eq!(schema, service);
}

/// The limits of the schema are those of the rules: what is just inside is taken, and what is just
/// outside is not.
#[tokio::test]
async fn the_schema_of_a_change_has_the_limits_of_the_rules() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    let update = &schemas["Update"];
    assert_eq!(
        (&update["additionalProperties"], &update["minProperties"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(update["required"], Value::Null, "nothing is required");
    let mut fields: Vec<_> =
        update["properties"].as_object().unwrap().keys().map(|key| &**key).collect();
    let mut names = Field::ALL.map(Field::as_str).to_vec();
    fields.sort_unstable();
    names.sort_unstable();
    assert_eq!(fields, names);
    let taken = |body: Value| validate(body.to_string().as_bytes(), true).is_ok();
    let limit = |field: &str, word: &str| {
        let found = update["properties"][field][word].as_u64();
        found.unwrap_or_else(|| panic!("{field} has no {word}")) as usize
    };
    for (field, word) in
        [("service_name", "maxLength"), ("port_id", "maxLength"), ("description", "maxLength")]
    {
        let most = limit(field, word);
        assert!(taken(json!({field: "a".repeat(most)})), "{field}");
        assert!(!taken(json!({field: "a".repeat(most + 1)})), "{field}");
    }
    for field in ["service_name", "port_id", "ip"] {
        assert_eq!(limit(field, "minLength"), 1);
        assert!(!taken(json!({field: ""})), "{field}");
    }
    let ports = |count: usize| {
        let mapping = |port: usize| json!({"client_port": port + 1, "server_port": 80});
        json!({"ports": (0..count).map(mapping).collect::<Value>()})
    };
    let most = limit("ports", "maxItems");
    assert!(taken(ports(most)) && !taken(ports(most + 1)));
    let port = &schemas["UpdatePort"];
    assert_eq!(port["required"], json!(["client_port", "server_port"]));
    assert_eq!(port["additionalProperties"], false);
    for field in ["client_port", "server_port"] {
        let (least, most) =
            (&port["properties"][field]["minimum"], &port["properties"][field]["maximum"]);
        let number = |value: &Value| value.as_f64().unwrap() as i64;
        let with = |port: i64| {
            let mut mapping = json!({"client_port": 1, "server_port": 1});
            mapping[field] = json!(port);
            json!({"ports": [mapping]})
        };
        let (least, most) = (number(least), number(most));
        assert!(taken(with(least)) && taken(with(most)), "{field}");
        assert!(!taken(with(least - 1)) && !taken(with(most + 1)), "{field}");
    }
    for word in schemas["UpdateTcpProxy"]["enum"].as_array().unwrap() {
        assert!(taken(json!({"tcp_proxy": word})), "{word}");
    }
    assert!(!taken(json!({"tcp_proxy": "other"})));
}

/// The examples are bodies that are taken.
#[tokio::test]
async fn the_examples_are_good() {
    let document = document().await;
    let service = "/api/v1/endpoint-services/{project}/{service}";
    let content = &document["paths"][service]["put"]["requestBody"]["content"]["application/json"];
    let examples = content["examples"].as_object().unwrap();
    assert!(!examples.is_empty());
    for (name, example) in examples {
        let update = validate(example["value"].to_string().as_bytes(), false);
        let update = update.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_ne!(update, ServiceFields::default());
    }
}
