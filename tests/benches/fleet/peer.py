"""An exporter as somebody would write it with the official SDK and prometheus_client.

usage: peer.py URL PROJECT_ID REGION ACCESS_KEY SECRET_KEY FILE

FILE has the id of a cluster in each line. Each cluster is polled once a minute, by 8 threads. The
address of the metrics is printed once every cluster was polled.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcss.v1 import CssClient, ShowVpcepConnectionRequest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

INTERVAL = 60
LIMIT = 1000
CLUSTER = ["region_id", "project", "cluster_id", "cluster_name"]
PREFIX = "huaweicloud_css_vpcep_"

registry = CollectorRegistry()


def gauge(name, *labels):
    return Gauge(PREFIX + name, name, CLUSTER + list(labels), registry=registry)


CONNECTIONS = gauge("connections", "status")
UP = gauge("up")
LAST_SUCCESS = gauge("last_success_timestamp_seconds")
STATUS = gauge("connection_status", "endpoint_id", "status")
MAX_SESSIONS = gauge("connection_max_sessions", "endpoint_id")
INFO = gauge(
    "connection_info", "endpoint_id", "specification_name", "domain_id", "ip", "ipv6", "dns_name"
)
CREATED = gauge("connection_created_timestamp_seconds", "endpoint_id")
UPDATED = gauge("connection_updated_timestamp_seconds", "endpoint_id")


def timestamp(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


class Cluster:
    """The labels of a cluster's series that stand on the page."""

    def __init__(self, client, labels):
        self.client, self.labels = client, labels
        self.series = set()

    def read(self):
        rows = []
        while True:
            page = self.client.show_vpcep_connection(
                ShowVpcepConnectionRequest(
                    cluster_id=self.labels[2], offset=len(rows), limit=LIMIT
                )
            )
            rows += page.connections
            if not page.connections or len(rows) >= page.total_count:
                return rows

    def poll(self):
        rows = self.read()
        counts, values = {}, {}
        for row in rows:
            counts[row.status] = counts.get(row.status, 0) + 1
            values[STATUS, row.id, row.status] = 1
            values[MAX_SESSIONS, row.id] = float(row.max_session)
            info = (row.specification_name, row.domain_id, row.vpcep_ip, row.vpcep_ipv6_address, row.vpcep_dns_name)
            values[(INFO, row.id, *(text or "" for text in info))] = 1
            values[CREATED, row.id] = timestamp(row.created_at)
            if row.update_at:
                values[UPDATED, row.id] = timestamp(row.update_at)
        for status, count in counts.items():
            values[CONNECTIONS, status] = count
        values[UP,] = 1
        values[LAST_SUCCESS,] = time.time()
        for (family, *labels), value in values.items():
            family.labels(*self.labels, *labels).set(value)
        for family, *labels in self.series - values.keys():
            family.remove(*self.labels, *labels)
        self.series = set(values)


def main(url, project_id, region, access_key, secret_key, file):
    credentials = BasicCredentials(access_key, secret_key, project_id)
    client = CssClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
    with open(file) as ids:
        names = enumerate(ids.read().split())
    clusters = [Cluster(client, (region, "prod", id, f"cluster-{n}")) for n, id in names]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Cluster.poll, clusters))
        server, _ = start_http_server(0, addr="127.0.0.1", registry=registry)
        print(f"127.0.0.1:{server.server_port}", flush=True)
        began = time.monotonic()
        while True:
            for number, cluster in enumerate(clusters):
                due = began + INTERVAL * number / len(clusters)
                time.sleep(max(0, due - time.monotonic()))
                pool.submit(cluster.poll)
            began += INTERVAL


if __name__ == "__main__":
    main(*sys.argv[1:])
