//! The audit log, by its documented rule alone.

use std::fs;

use serde_json::Value;

use super::{
    parts::{python, said},
    support::{
        here,
        process::{Folder, exporter, run},
    },
};

#[tokio::test]
async fn another_program_reads_the_same_chain() {
    let golden = here("tests/data/audit.golden.jsonl");
    let mut verify = exporter(&["audit"]);
    verify.arg("verify").arg(&golden);
    let ours = run(verify).await;
    assert!(ours.code == Some(0), "{}", said(&ours));

    let mut script = python("audit_chain.py");
    script.arg(&golden);
    let theirs = run(script).await;
    assert!(theirs.code == Some(0), "{}", said(&theirs));
    let theirs: Value = serde_json::from_str(&theirs.out).expect("the script prints JSON");

    let ours = ours.out;
    let first = ours.lines().next().unwrap_or_default();
    assert!(first.contains(&format!("{} records", theirs["records"])), "{ours}");
    assert!(first.ends_with(theirs["head"].as_str().expect("a hash")), "{ours}");

    let folder = Folder::new("another_program_reads_the_same_chain");
    let text = fs::read_to_string(&golden).expect("the golden log is there");
    let mut script = python("audit_chain.py");
    script.arg(folder.write("changed", text.replace("oncall", "nobody")));
    assert_ne!(run(script).await.code, Some(0), "it can say no");
}
