"""Processor time of the official SDK for each connection that it reads, as `collection` measures ours.

usage: sdk_collection.py URL CLUSTERS CONNECTIONS

URL is what `cargo bench --bench collection -- serve-pages --clusters CLUSTERS --connections
CONNECTIONS` prints. Needs what tests/witnesses/requirements.txt names. Prints one JSON line for reading one
cluster after the other and one for 32 threads.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcss.v1 import CssClient, ShowVpcepConnectionRequest

PROJECT_ID = "6e9dfd51d1124e8d8498dce894923a0d"
LIMIT = 1000


def main(url, clusters, connections):
    credentials = BasicCredentials("ACCESSKEY", "a secret key", PROJECT_ID)
    client = CssClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
    ids = [f"00000000-5b35-4f50-8984-{number:012x}" for number in range(clusters)]

    def read(cluster_id):
        rows = 0
        while True:
            page = client.show_vpcep_connection(
                ShowVpcepConnectionRequest(cluster_id=cluster_id, offset=rows, limit=LIMIT)
            )
            rows += len(page.connections)
            if not page.connections or rows >= page.total_count:
                return rows

    for threads in (1, 32):
        with ThreadPoolExecutor(threads) as pool:
            read(ids[0])
            began = time.process_time()
            rows = sum(pool.map(read, ids))
            spent = time.process_time() - began
        if rows != clusters * connections:
            sys.exit(f"{rows} connections, expected {clusters * connections}")
        print(json.dumps({
            "what": "collection", "who": "official SDK for Python", "threads": threads,
            "clusters": clusters, "connections": connections, "cpu_us": 1e6 * spent / rows,
        }))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
