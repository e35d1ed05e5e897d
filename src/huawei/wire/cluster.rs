//! A page of the list of clusters (CSS API Reference, "Querying the Cluster List").

use std::collections::BTreeMap;

use serde::de::SeqAccess;

use super::{
    lenient::Lenient,
    object::{List, Object, Scalar, object},
    surprise::{Surprise, Surprises},
};
use crate::{
    cloud::{CloudError, Reason},
    model::{ClusterId, ListedCluster},
};

const PAGE: [&str; 1] = ["totalSize"];

const ROW: [&str; 31] = [
    "id",
    "name",
    "datastore",
    "enterpriseProjectId",
    // Documented, and not used.
    "status",
    "instances",
    "created",
    "updated",
    "endpoint",
    "ipv6Endpoint",
    "vpcId",
    "subnetId",
    "currentSubnetIds",
    "securityGroupId",
    "httpsEnable",
    "authorityEnable",
    "diskEncrypted",
    "cmkId",
    "backupAvailable",
    "actionProgress",
    "actions",
    "failedReason",
    "period",
    "publicIp",
    "bandwidthSize",
    "bandwidthResourceId",
    "publicKibanaResp",
    "elbWhiteList",
    "snapshotPolicy",
    "desc",
    "orderId",
];

const TAG: [&str; 2] = ["key", "value"];

type RawCluster<'a> = Object<'a, 31, Tags>;

/// A page of the list.
#[derive(Debug, Default)]
pub struct ClusterPage {
    /// The clusters with a readable id.
    pub clusters: Vec<ListedCluster>,
    /// The number of rows without one.
    pub without_id: u32,
    /// Rows received.
    pub received: u32,
    /// `totalSize`, if sent and readable.
    pub total: Option<u64>,
}

/// Decodes a page.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
pub fn clusters(body: &[u8]) -> Result<(ClusterPage, Surprises), CloudError> {
    let mut raw: Object<'_, 1, Rows> = object(body, &PAGE)?;
    let rows = raw.list.take();
    let bad_shape = || CloudError::new(Reason::BadShape, "the answer has no list of clusters");
    let Rows { mut lenient, mut page } = rows.ok_or_else(bad_shape)?;
    lenient.unknown(&raw.unknown_fields);
    page.total = lenient.number(raw.take("totalSize"));
    Ok((page, lenient.surprises))
}

/// The rows of a page, as they come.
#[derive(Default)]
struct Rows {
    lenient: Lenient,
    page: ClusterPage,
}

impl<'de> List<'de> for Rows {
    const NAME: Option<&'static str> = Some("clusters");

    fn read<A: SeqAccess<'de>>(&mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element_seed(RawCluster::of(&ROW))? {
            self.page.received = self.page.received.saturating_add(1);
            self.take(row);
        }
        Ok(())
    }
}

impl Rows {
    fn take(&mut self, mut row: RawCluster<'_>) {
        let Self { lenient, page } = self;
        lenient.unknown(&row.unknown_fields);
        let id = row.take("id");
        let parsed = match &id.value {
            Scalar::Text(text) => ClusterId::parse(text).ok(),
            _ => None,
        };
        let Some(parsed) = parsed else {
            page.without_id += 1;
            return lenient.odd(Surprise::UnparsableValue, &id);
        };
        let Tags { lenient: of_tags, tags } = row.list.take().unwrap_or_default();
        lenient.surprises.add(of_tags.surprises);
        let mut datastore = row.take("datastore");
        let (engine, version) = (datastore.member("type"), datastore.member("version"));
        let mut text = |field| Box::from(lenient.label(field));
        page.clusters.push(ListedCluster {
            id: parsed,
            name: text(row.take("name")),
            engine: text(engine),
            engine_version: text(version),
            enterprise_project_id: text(row.take("enterpriseProjectId")),
            tags,
        });
    }
}

/// The tags of a cluster.
#[derive(Default)]
struct Tags {
    lenient: Lenient,
    tags: BTreeMap<Box<str>, Box<str>>,
}

impl<'de> List<'de> for Tags {
    const NAME: Option<&'static str> = Some("tags");

    fn read<A: SeqAccess<'de>>(&mut self, mut tags: A) -> Result<(), A::Error> {
        while let Some(mut tag) = tags.next_element_seed(Object::<'_, 2>::of(&TAG))? {
            self.lenient.unknown(&tag.unknown_fields);
            let mut text = |name| Box::from(self.lenient.label(tag.take(name)));
            let (key, value) = (text("key"), text("value"));
            self.tags.insert(key, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_names_its_engine_and_its_tags() {
        let body = r#"{"totalSize":3,"clusters":[
            {"id":"5c77b71c-5b35-4f50-8984-76387e42451a","name":"logs\n","status":"200",
             "datastore":{"type":"opensearch","version":"2.19.0","subVersion":""},
             "instances":[{"id":"x"}],"enterpriseProjectId":"0","actionProgress":{"CREATING":"2%"},
             "tags":[{"key":"env","value":"prod"},{"key":"team","value":7}]},
            {"id":"5c77b71c-5b35-4f50-8984-76387e42451b","tags":null,"datastore":null,"new":1},
            {"id":"../x"}]}"#;
        let (page, surprises) = clusters(body.as_bytes()).unwrap();
        assert_eq!((page.total, page.received, page.without_id), (Some(3), 3, 1));
        let [logs, bare] = &page.clusters[..] else { panic!("{page:?}") };
        assert_eq!(
            (&*logs.name, &*logs.engine, &*logs.engine_version),
            ("logs\u{fffd}", "opensearch", "2.19.0")
        );
        assert_eq!(&*logs.enterprise_project_id, "0");
        let tags: Vec<_> = logs.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(tags, [("env", "prod"), ("team", "7")]);
        assert_eq!((&*bare.name, &*bare.engine, bare.tags.len()), ("", "", 0));
        let expected = [
            (Surprise::UnknownField, 1),
            (Surprise::CoercedType, 1),
            (Surprise::UnparsableValue, 1),
        ];
        assert_eq!(surprises.counts().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (body, reason) in [
            ("{}", Reason::BadShape),
            (r#"{"clusters":{}}"#, Reason::BadShape),
            (r#"{"clusters":[[]]}"#, Reason::BadShape),
            (r#"{"clusters":["#, Reason::BadJson),
        ] {
            assert_eq!(clusters(body.as_bytes()).unwrap_err().reason, reason, "{body}");
        }
        assert_eq!(clusters(br#"{"clusters":[]}"#).unwrap().0.received, 0);
    }
}
