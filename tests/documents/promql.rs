//! All PromQL in the alert rules and their tests, the runbooks, the dashboards and the manual. Its
//! selectors must name metrics, labels and label values that the code has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use css_vpcep_exporter::{
    audit::Kind,
    board::Freshness,
    change::{self, Outcome},
    cloud::Reason,
    exposition::{self, families, services},
    huawei::{Operation, wire::Surprise},
    model::{ServiceStatus, Status},
    stats::{self, Definition, Denied},
};

/// The folders with PromQL; the README is read separately.
const FOLDERS: [&str; 5] = [
    "deploy/manual",
    "deploy/prometheus",
    "deploy/prometheus/tests",
    "deploy/runbooks",
    "dashboards",
];
/// The labels that Prometheus adds to every series.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];
/// Labels whose values are not a closed list: names, ids, versions and files.
const OPEN: [&str; 22] = [
    "job",
    "instance",
    "region_id",
    "project",
    "cluster_id",
    "cluster_name",
    "service_id",
    "service_name",
    "endpoint_id",
    "vpc_service_name",
    "specification_name",
    "domain_id",
    "ip",
    "ipv6",
    "dns_name",
    "version",
    "revision",
    "sha256",
    "handler",
    "le",
    "encoding",
    "code",
];

/// `label="value"`, with any of the four operators.
#[derive(Debug, PartialEq)]
struct Matcher {
    label: String,
    is_regex: bool,
    /// `None` if a template fills it in.
    value: Option<String>,
}

#[test]
fn selectors_have_labels_and_values_that_exist() {
    let metrics = metrics();
    let mut mistakes = BTreeSet::new();
    let mut seen = 0;
    for (path, text) in documents() {
        for (metric, matchers) in selectors(&text) {
            let Some(labels) = metrics.get(&metric) else {
                mistakes.insert(format!("{path}: there is no metric {metric}"));
                continue;
            };
            seen += 1;
            for matcher in matchers {
                mistakes
                    .extend(mistake(&metric, labels, &matcher).map(|why| format!("{path}: {why}")));
            }
        }
    }
    assert!(seen > 300, "{seen} selectors were found");
    assert!(mistakes.is_empty(), "{}", mistakes.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The age of data is `timestamp(x) - x`: `time() - x` adds the age of the sample.
#[test]
fn the_age_of_data_is_without_that_of_the_sample() {
    for (path, text) in documents() {
        for after in text.split("time()").skip(1) {
            let minus = after.trim_start().strip_prefix('-').unwrap_or_default().trim_start();
            let name = minus.split(|c| !is_of_name(c)).next().unwrap_or_default();
            assert!(!name.ends_with("_last_success_timestamp_seconds"), "{path}: time() - {name}");
        }
    }
}

#[test]
fn a_selector_is_read_with_its_matchers() {
    let matcher = |label: &str, is_regex, value: Option<&str>| Matcher {
        label: label.to_owned(),
        is_regex,
        value: value.map(str::to_owned),
    };
    let read = |text| selectors(text).collect::<Vec<_>>();
    let one = "css_vpcep_exporter_targets".to_owned();
    assert_eq!(read("sum(css_vpcep_exporter_targets) > 0"), [(one.clone(), vec![])]);
    let matchers = vec![matcher("state", true, Some("a|b")), matcher("job", false, None)];
    assert_eq!(
        read(r#"css_vpcep_exporter_targets{state!~"a|b", job=%[1]q}"#),
        [(one.clone(), matchers)]
    );
    let matchers = vec![matcher("state", false, Some("a"))];
    assert_eq!(read(r#""css_vpcep_exporter_targets{state=\"a\"}""#), [(one, matchers)]);
    assert_eq!(read("huaweicloud_css_vpcep:a_rule:seconds my_huaweicloud_css_vpcep_up"), []);
}

fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    for folder in FOLDERS {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there");
        let files = entries.map(|entry| entry.expect("it can be listed").path());
        let written = ["yml", "md", "json"];
        paths.extend(files.filter(|path| {
            path.extension().is_some_and(|end| written.iter().any(|written| end == *written))
        }));
    }
    let read = |path: &Path| {
        let text = fs::read_to_string(path).expect("it is text");
        (path.strip_prefix(root).expect("below it").display().to_string(), text)
    };
    paths.iter().map(|path| read(path)).collect()
}

/// Every metric of the exporter with its labels.
fn metrics() -> BTreeMap<String, Vec<&'static str>> {
    let mut metrics = BTreeMap::new();
    let mut add = |definition: &Definition, first: &[&'static str]| {
        let labels = [&OF_PROMETHEUS, first, definition.labels].concat();
        if definition.kind == stats::Kind::Histogram {
            for end in ["bucket", "sum", "count"] {
                let labels = [&labels[..], &["le"]].concat();
                metrics.insert(format!("{}_{end}", definition.name), labels);
            }
        }
        metrics.insert(definition.name.to_owned(), labels);
    };
    families::FAMILIES.iter().for_each(|one| add(&one.definition, &families::CLUSTER_LABELS));
    let of_services = services::SERVICE_FAMILIES.iter();
    of_services.for_each(|one| add(&one.definition, &services::SERVICE_LABELS));
    stats::DEFINITIONS.iter().chain(&exposition::DEFINITIONS).for_each(|one| add(one, &[]));
    metrics
}

/// The values that a label of a metric may have, where they are a closed list.
fn values(metric: &str, label: &str) -> Option<Vec<&'static str>> {
    Some(match (label, metric) {
        ("status", "huaweicloud_vpcep_service_status") => {
            ServiceStatus::ALL.map(ServiceStatus::as_str).to_vec()
        }
        ("status" | "to", _) => Status::ALL.map(Status::as_str).to_vec(),
        ("state", _) => Freshness::ALL.map(Freshness::as_str).to_vec(),
        ("operation", _) => Operation::ALL.map(Operation::as_str).to_vec(),
        ("kind", "css_vpcep_exporter_admin_changes_total") => {
            change::Kind::ALL.map(change::Kind::as_str).to_vec()
        }
        ("outcome", _) => Outcome::ALL.map(Outcome::as_str).to_vec(),
        ("reason", "css_vpcep_exporter_admin_denied_total") => {
            Denied::ALL.map(Denied::as_str).to_vec()
        }
        ("reason", _) => Reason::ALL.map(|reason| reason.as_str()).to_vec(),
        ("kind", "css_vpcep_exporter_audit_records_total") => Kind::ALL.map(Kind::as_str).to_vec(),
        ("kind", _) => Surprise::ALL.map(Surprise::as_str).to_vec(),
        _ => return None,
    })
}

fn mistake(metric: &str, labels: &[&str], matcher: &Matcher) -> Option<String> {
    let Matcher { label, is_regex, value } = matcher;
    if !labels.contains(&label.as_str()) {
        return Some(format!("{metric} has no label {label}"));
    }
    let Some(known) = values(metric, label) else {
        let is_open = OPEN.contains(&label.as_str());
        return (!is_open).then(|| format!("the values of {label} of {metric} are not known here"));
    };
    // A variable of Grafana stands for values that it has found.
    let value = value.as_ref().filter(|value| !value.starts_with('$') && *value != ".+")?;
    let alternatives = value.split(if *is_regex { '|' } else { '\n' });
    let mut unknown = alternatives.filter(|one| !known.contains(one));
    unknown.next().map(|one| format!("{label} of {metric} is never {one:?}"))
}

/// The selectors of the exporter's metrics in any text.
fn selectors(text: &str) -> impl Iterator<Item = (String, Vec<Matcher>)> {
    // In JSON and in templates quotes are escaped.
    let text = text.replace("\\\"", "\"");
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_of_name) {
        rest = &rest[start..];
        let (name, after) = rest.split_at(rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()));
        rest = after;
        let is_ours = name.starts_with("huaweicloud_") || name.starts_with("css_vpcep_exporter_");
        // With a colon it is a recorded series; the start of several names ends with an underscore.
        if is_ours && !name.contains(':') && !name.ends_with('_') {
            let inside = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let matchers = inside.map_or_else(Vec::new, |(inside, _)| matchers(inside));
            found.push((name.to_owned(), matchers));
        }
    }
    found.into_iter()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Values have neither commas nor braces.
fn matchers(inside: &str) -> Vec<Matcher> {
    let read = |one: &str| {
        let (label, condition) = one.trim().split_once(['=', '!'])?;
        let is_regex = condition.starts_with('~');
        let value = condition.trim_start_matches(['=', '~']);
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Some(Matcher { label: label.trim().to_owned(), is_regex, value: value.map(str::to_owned) })
    };
    inside.split(',').filter_map(read).collect()
}
