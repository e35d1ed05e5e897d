"""The parts that the dashboards are put together from."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "css-vpcep-exporter"
# As in the command of deploy/runbooks/README.md: an example, to be replaced.
RUNBOOKS = "https://git.example.com/css-vpcep-exporter/blob/main/deploy/runbooks/README.md"

# Which exporters; and which clusters of theirs. Every selector has one of these.
EXPORTER = 'job=~"$job", instance=~"$instance"'
PROJECT = EXPORTER + ', project=~"$project"'
CLUSTER = EXPORTER + ', region_id=~"$region", project=~"$project", cluster_name=~"$cluster"'
SERVICE = EXPORTER + ', region_id=~"$region", project=~"$project", service_name=~"$service"'

# What tells one cluster from another, as one exporter sees it.
CLUSTER_KEY = "job, instance, region_id, project, cluster_id, cluster_name"
CONNECTION = "job, instance, cluster_id, endpoint_id"

STATUS_COLOURS = {
    "accepted": "green",
    "pendingAcceptance": "orange",
    "rejected": "red",
    "failed": "dark-red",
    "creating": "blue",
    "deleting": "purple",
    "unknown": "yellow",
}
CLUSTER_STATES = [
    ("fine", "green"),
    ("waits for acceptance", "orange"),
    ("not read whole", "yellow"),
    ("poll failed", "light-red"),
    ("rejected or failed", "red"),
    ("no fresh data", "dark-red"),
]
TARGET_COLOURS = {"fresh": "green", "failing": "orange", "stale": "red", "never": "purple"}



def age(last_success, selector):
    """How old data were when they were scraped; `time() - x` would add the age of the sample."""
    series = f"{last_success}{{{selector}}}"
    return f"timestamp({series}) - {series}"


AGE = age("huaweicloud_css_vpcep_last_success_timestamp_seconds", CLUSTER)
_NO_SUCCESS = (
    "huaweicloud_css_vpcep_poll_interval_seconds{%s}"
    " unless huaweicloud_css_vpcep_last_success_timestamp_seconds{%s}" % (CLUSTER, CLUSTER)
)
# The place in CLUSTER_STATES, for each cluster; what is worse comes later.
CLUSTER_STATE = f"""max by ({CLUSTER_KEY}) (
  ({AGE} > 3 * huaweicloud_css_vpcep_poll_interval_seconds{{{CLUSTER}}}) * 0 + 5
  or ({_NO_SUCCESS}) * 0 + 5
  or (huaweicloud_css_vpcep_connections{{{CLUSTER}, status=~"rejected|failed"}} > 0) * 0 + 4
  or (huaweicloud_css_vpcep_up{{{CLUSTER}}} == 0) * 0 + 3
  or (huaweicloud_css_vpcep_complete{{{CLUSTER}}} == 0) * 0 + 2
  or (huaweicloud_css_vpcep_connections{{{CLUSTER}, status="pendingAcceptance"}} > 0) * 0 + 1
  or huaweicloud_css_vpcep_poll_interval_seconds{{{CLUSTER}}} * 0
)"""
BLIND = f"""sum(max by (project, cluster_id) (
  ({AGE} > bool 3 * huaweicloud_css_vpcep_poll_interval_seconds{{{CLUSTER}}})
  or huaweicloud_css_vpcep_poll_interval_seconds{{{CLUSTER}}} * 0 + 1
))"""


def connections(status):
    """How many connections have the status; a cluster that two exporters poll counts once."""
    selector = f'huaweicloud_css_vpcep_connections{{{CLUSTER}, status=~"{status}"}}'
    return f"sum(max by (cluster_id, status) ({selector}))"


# Links. `link_prefix` is a text variable: what a browser must put before the label `instance`.
STATUS_PAGE = {
    "title": "Status page of the exporter",
    "url": "${link_prefix:raw}${__data.fields.instance}/",
    "targetBlank": True,
}
CLUSTER_PAGE = {
    "title": "This cluster on the exporter's status page",
    "url": "${link_prefix:raw}${__data.fields.instance}/clusters/${__data.fields.cluster_id}",
    "targetBlank": True,
}
CLUSTER_DASHBOARD = {
    "title": "Dashboard of this cluster",
    "url": "/d/css-vpcep-cluster?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
    "&var-project=${__data.fields.project}&var-cluster=${__data.fields.cluster_name}"
    "&${link_prefix:queryparam}&${__url_time_range}",
}


def steps(*pairs, base="text"):
    """Thresholds: a base colour, then pairs of a value and the colour from there on."""
    rest = [{"color": colour, "value": value} for value, colour in pairs]
    return {"mode": "absolute", "steps": [{"color": base, "value": None}, *rest]}


def value_map(rows):
    """Texts and colours for values; each row is a value, its text and its colour."""
    options = {
        str(value): {"color": colour, "index": index, "text": text}
        for index, (value, text, colour) in enumerate(rows)
    }
    return [{"type": "value", "options": options}]


STATE_MAP = value_map([(n, text, colour) for n, (text, colour) in enumerate(CLUSTER_STATES)])
STATUS_MAP = value_map([(s, s, colour) for s, colour in STATUS_COLOURS.items()])


def target(expr, legend="", ref="A", **more):
    """A query over the time range; `instant` for the newest value, as `table` for a table."""
    kind = {"instant": True, "range": False} if more.pop("instant", False) else {"range": True}
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expr,
        "legendFormat": legend,
        "refId": ref,
        **kind,
        **more,
    }


def _panel(kind, title, description, targets, unit, defaults, overrides, options, more):
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, **defaults}, "overrides": overrides or []},
        "options": options,
        **more,
    }


def stat(title, description, expr, unit="short", thresholds=None, mappings=None, legend="", **more):
    """One number, the newest; `otherwise` where there is none. Without thresholds it has no colour."""
    defaults = {"color": {"mode": "thresholds"}, "thresholds": thresholds or steps()}
    if mappings:
        defaults["mappings"] = mappings
    if "decimals" in more:
        defaults["decimals"] = more.pop("decimals")
    if "otherwise" in more:
        defaults["noValue"] = more.pop("otherwise")
    options = {
        "colorMode": "background" if thresholds else "value",
        "graphMode": more.pop("graph", "none"),
        "justifyMode": "center",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": more.pop("fields", ""), "values": False},
        "showPercentChange": False,
        "textMode": more.pop("text", "value"),
        "wideLayout": True,
    }
    instant = options["graphMode"] == "none"
    targets = [target(expr, legend, instant=instant)]
    return _panel("stat", title, description, targets, unit, defaults, None, options, more)


# Where the axis ends if nothing happened; it would be 100.
LEAST_TOP = {"short": 1, "ops": 0.1}


def series(title, description, targets, unit="short", **more):
    """Lines over time; `bars` for what happens, `stack` for parts of a whole."""
    bars, stack = more.pop("bars", False), more.pop("stack", False)
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars or stack else 8,
        "lineInterpolation": "stepAfter" if more.pop("step", False) else "linear",
        # Lines of bars and of what is stacked would hide one another where they are 0.
        "lineWidth": 0 if bars or stack else 1,
        "showPoints": "never",
        "stacking": {"mode": "normal" if bars or stack else "none", "group": "A"},
    }
    if unit in LEAST_TOP:
        custom["axisSoftMax"] = LEAST_TOP[unit]
    thresholds = more.pop("thresholds", None)
    if thresholds:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom, "min": more.pop("min", 0)}
    if thresholds:
        defaults["thresholds"] = thresholds
    if defaults["min"] is None:
        del defaults["min"]
    overrides = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in more.pop("colours", {}).items()
    ]
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    targets = targets if isinstance(targets, list) else [target(targets, more.pop("legend", ""))]
    return _panel("timeseries", title, description, targets, unit, defaults, overrides, options, more)


def column(name, **properties):
    """How the column of this name is shown; keywords are properties, `__` stands for a dot."""
    found = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": found}


# Wide enough to be read and copied.
UUID_WIDTH, DOMAIN_WIDTH = 320, 300


def table(title, description, queries, columns, overrides, sort, unit="short", **more):
    """Rows from instant queries, one column for each; `columns` names what is shown, in order."""
    targets = [
        target(expr, ref=ref, instant=True, format="table") for ref, expr in queries.items()
    ]
    hidden = {"Time": True, "job": True, "__name__": True, **more.pop("hide", {})}
    organize = {
        "excludeByName": {name: True for name in hidden},
        "indexByName": {name: index for index, name in enumerate(columns)},
        "renameByName": {name: shown for name, shown in columns.items() if name != shown},
    }
    merge = [{"id": "merge", "options": {}}] if len(queries) > 1 else []
    more["transformations"] = [*merge, {"id": "organize", "options": organize}]
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
        "thresholds": steps(),
    }
    options = {"cellHeight": "sm", "showHeader": True, "sortBy": sort}
    return _panel("table", title, description, targets, unit, defaults, overrides, options, more)


def timeline(title, description, expr, legend, mappings, **more):
    """What state things were in, over time."""
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 75, "lineWidth": 0},
        "mappings": mappings,
        "thresholds": steps(),
    }
    options = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    targets = [target(expr, legend)]
    return _panel("state-timeline", title, description, targets, "short", defaults, None, options, more)


def row(title):
    """A headline; what follows is under it."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def _query_variable(name, label, metric, of):
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": f"label_values({metric}, {of})", "refId": name},
        "current": {"text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }


def variables(*wanted, one=None):
    """Those of `wanted`, each narrowed by those before it, between the data source and the links."""
    own = "css_vpcep_exporter_build_info"
    cluster = "huaweicloud_css_vpcep_poll_interval_seconds"
    service = "huaweicloud_vpcep_service_up"
    of_cluster = service if "service" in wanted else cluster
    of_project = of_cluster if "region" in wanted else "css_vpcep_exporter_polls_total"
    region = ', region_id=~"$region"' if "region" in wanted else ""
    known = {
        "region": ("Region", f"{of_cluster}{{{EXPORTER}}}", "region_id"),
        "project": ("Project", f"{of_project}{{{EXPORTER}{region}}}", "project"),
        "cluster": ("Cluster", f'{cluster}{{{EXPORTER}{region}, project=~"$project"}}', "cluster_name"),
        "service": ("Endpoint service", f'{service}{{{EXPORTER}{region}, project=~"$project"}}', "service_name"),
    }
    return [
        {
            "type": "datasource",
            "name": "datasource",
            "label": "Data source",
            "query": "prometheus",
            "current": {"text": "default", "value": "default"},
            "refresh": 1,
            "regex": "",
        },
        _query_variable("job", "Job", own, "job"),
        _query_variable("instance", "Exporter", own + '{job=~"$job"}', "instance"),
        *(_query_variable(name, *known[name]) | ({"current": {"text": [], "value": []}} if name == one else {}) for name in wanted),
        {
            "type": "textbox",
            "name": "link_prefix",
            "label": "Links begin with",
            "description": "What a browser puts before the address of an exporter to reach its status page",
            "query": "http://",
            "current": {"text": "http://", "value": "http://"},
        },
        {
            "type": "textbox",
            "name": "runbooks",
            "label": "Runbooks are at",
            "description": "The address of your copy of deploy/runbooks",
            "query": RUNBOOKS,
            "current": {"text": RUNBOOKS, "value": RUNBOOKS},
        },
    ]


def events(metric, selector, by):
    """How often a counter rose between two points of a graph: one event is one bar of height 1. `increase` would
    extrapolate, and show it in several bars."""
    counter = f"{metric}{{{selector}}}"
    grouped = f"sum by ({by})" if by else "sum"
    return f"clamp_min({grouped} ({counter}) - {grouped} ({counter} offset $__interval), 0)"


def _annotation(name, expr, colour, title, text):
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "target": {"expr": expr, "interval": "60s", "refId": "Anno"},
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "",
    }


# Each is drawn for the minute in which it happened.
ANNOTATIONS = [
    _annotation(
        "Alerts",
        'ALERTS{alertname=~"HuaweiCssVpcep.+", alertstate="firing"}',
        "red",
        "{{alertname}}",
        "{{project}} {{cluster_name}} {{endpoint_id}}",
    ),
    _annotation(
        "Restarts",
        f"time() - process_start_time_seconds{{{EXPORTER}}} < 60",
        "purple",
        "{{instance}} started",
        "",
    ),
    _annotation(
        "Reloads",
        f"time() - css_vpcep_exporter_config_last_reload_success_timestamp_seconds{{{EXPORTER}}} < 60",
        "blue",
        "{{instance}} loaded its configuration",
        "",
    ),
    _annotation(
        "Changes",
        f'increase(css_vpcep_exporter_admin_changes_total{{{EXPORTER}, outcome!~"planned|unchanged"}}[1m]) > 0',
        "orange",
        "A change: {{outcome}}",
        "{{kind}}, by {{instance}}",
    ),
]


def dashboard(name, title, description, wanted, panels, one=None):
    """Panels, each with its size `(width, height)`, laid out in reading order. Of the variable `one` a single value is
    chosen at first, not all."""
    x = y = height = 0
    placed = []
    for number, (panel, (w, h)) in enumerate(panels, 1):
        if x + w > 24:
            x, y, height = 0, y + height, 0
        placed.append({"id": number, "gridPos": {"x": x, "y": y, "w": w, "h": h}, **panel})
        x, height = x + w, max(height, h)
    return {
        "uid": f"css-vpcep-{name}",
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "links": [
            {
                "type": "dashboards",
                "title": "CSS VPC endpoints",
                "icon": "external link",
                "tooltip": "",
                "tags": [TAG],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "url": "",
            },
            {
                "type": "link",
                "title": "Runbooks",
                "icon": "doc",
                "tooltip": "What to do about each alert",
                "tags": [],
                "asDropdown": False,
                "includeVars": False,
                "keepTime": False,
                "targetBlank": True,
                "url": "${runbooks}",
            },
        ],
        "annotations": {"list": ANNOTATIONS},
        "templating": {"list": variables(*wanted, one=one)},
        "panels": placed,
    }
