//! What packages install beside the binary: completions and manual pages.

use crate::support::process::{exporter, run};

async fn printed(arguments: &[&str]) -> String {
    let ended = run(exporter(arguments)).await;
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{arguments:?}: {ended:?}");
    ended.out
}

#[tokio::test]
async fn completions_know_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]).await;
        for word in ["check-config", "web.listen-address", "log.level"] {
            assert!(script.contains(word), "{shell}: {word} is not in {script}");
        }
    }
    assert_eq!(run(exporter(&["completions", "dos"])).await.code, Some(64));
}

#[tokio::test]
async fn there_is_a_manual_page_for_each_command() {
    let page = printed(&["man"]).await;
    assert!(page.contains(".TH css-vpcep-exporter 1"), "{page}");
    for command in ["serve", "demo", "simulate", "collect", "check-config"] {
        let reference = format!("css-vpcep-exporter-{command}(1)").replace('-', "\\-");
        assert!(page.contains(&reference), "{reference}: {page}");
        let page = printed(&["man", command]).await;
        assert!(page.contains(&format!(".TH css-vpcep-exporter-{command} 1")), "{page}");
    }
    let ended = run(exporter(&["man", "nothing"])).await;
    assert_eq!((ended.code, &*ended.out), (Some(64), ""));
    assert!(ended.err.contains("nothing"), "{}", ended.err);
}
