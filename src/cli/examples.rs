//! The examples at the end of each command's help, and in its manual page.

pub(super) const PROGRAM: &str = "\
Examples:
  css-vpcep-exporter demo
  css-vpcep-exporter check-config --online --config.file css-vpcep-exporter.yml
  css-vpcep-exporter serve --config.file css-vpcep-exporter.yml";

pub(super) const SERVE: &str = "\
Examples:
  css-vpcep-exporter serve --config.file css-vpcep-exporter.yml
  css-vpcep-exporter serve --web.listen-address 127.0.0.1:10067 --log.format json";

pub(super) const DEMO: &str = "\
Example:
  css-vpcep-exporter demo --log.level debug";

pub(super) const SIMULATE: &str = "\
Examples:
  css-vpcep-exporter simulate --clusters 3
  css-vpcep-exporter simulate --pace explicit --fault throttled:20,hang:1
  css-vpcep-exporter simulate --replay recording";

pub(super) const COLLECT: &str = "\
Examples:
  css-vpcep-exporter collect --config.file css-vpcep-exporter.yml > metrics.txt
  css-vpcep-exporter collect --record recording > /dev/null";

pub(super) const CHECK_CONFIG: &str = "\
Examples:
  css-vpcep-exporter check-config --config.file css-vpcep-exporter.yml
  css-vpcep-exporter check-config --online
  css-vpcep-exporter check-config --syntax-only --web.config.file web.yml";

pub(super) const SERVICE: &str = "\
Examples:
  css-vpcep-exporter service list
  css-vpcep-exporter service show prod/logs
  css-vpcep-exporter service plan prod/logs --file update.json
  css-vpcep-exporter service apply prod/logs --file update.json";

pub(super) const SERVICE_LIST: &str = "\
Example:
  css-vpcep-exporter service list --admin.token-file token";

pub(super) const SERVICE_SHOW: &str = "\
Example:
  css-vpcep-exporter service show prod/logs --json";

pub(super) const SERVICE_PLAN: &str = "\
Examples:
  css-vpcep-exporter service plan prod/logs --file update.json
  echo '{\"approval_enabled\": true}' | css-vpcep-exporter service plan prod/logs --file -";

pub(super) const SERVICE_APPLY: &str = "\
Example:
  css-vpcep-exporter service apply prod/logs --file update.json";

pub(super) const CONNECTION: &str = "\
Examples:
  css-vpcep-exporter connection list prod/logs
  css-vpcep-exporter connection accept prod/logs ENDPOINT_ID --dry-run
  css-vpcep-exporter connection reject prod/logs ENDPOINT_ID";

pub(super) const CONNECTION_LIST: &str = "\
Example:
  css-vpcep-exporter connection list prod/logs";

pub(super) const CONNECTION_ACCEPT: &str = "\
Example:
  css-vpcep-exporter connection accept prod/logs ENDPOINT_ID --dry-run";

pub(super) const CONNECTION_REJECT: &str = "\
Example:
  css-vpcep-exporter connection reject prod/logs ENDPOINT_ID ENDPOINT_ID";

pub(super) const AUDIT: &str = "\
Examples:
  css-vpcep-exporter audit verify audit.jsonl
  css-vpcep-exporter audit show --since 24h audit.jsonl";

pub(super) const AUDIT_VERIFY: &str = "\
Example:
  css-vpcep-exporter audit verify --expect-sequence 412 audit.jsonl.1 audit.jsonl";

pub(super) const AUDIT_SHOW: &str = "\
Example:
  css-vpcep-exporter audit show --service prod/logs --since 24h audit.jsonl";

pub(super) const COMPLETIONS: &str = "\
Example:
  css-vpcep-exporter completions bash > /etc/bash_completion.d/css-vpcep-exporter";

pub(super) const MAN: &str = "\
Examples:
  css-vpcep-exporter man | man -l -
  css-vpcep-exporter man serve > css-vpcep-exporter-serve.1";

pub(super) const TOKEN: &str = "\
Example:
  (umask 077; css-vpcep-exporter token --name alice --role editor --services 'prod/*' > token)";
