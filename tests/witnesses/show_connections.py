"""Reads the VPC endpoint connections of one CSS cluster as a user of the official SDK would.

usage: show_connections.py CLOUD_URL PROJECT_ID CLUSTER_ID LIMIT

The keys come from HUAWEICLOUD_SDK_AK, _SK and, if set, _SECURITY_TOKEN. Prints one JSON object:
every connection of every page, and the fields of the cluster as the first page gave them. If the
cloud refuses, prints what the SDK made of its answer and exits with 3.
"""

import json
import os
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkcss.v1 import CssClient, ShowVpcepConnectionRequest


def main(cloud_url, project_id, cluster_id, limit):
    credentials = BasicCredentials(
        os.environ["HUAWEICLOUD_SDK_AK"], os.environ["HUAWEICLOUD_SDK_SK"], project_id
    )
    if token := os.environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN"):
        credentials.with_security_token(token)
    client = CssClient.new_builder().with_credentials(credentials).with_endpoint(cloud_url).build()

    try:
        pages = read_pages(client, cluster_id, limit)
    except ServiceResponseException as refusal:
        names = ("status_code", "error_code", "error_msg", "request_id")
        print(json.dumps({name: getattr(refusal, name) for name in names}))
        return 3

    first = pages[0]
    print(json.dumps({
        "pages": len(pages),
        "connections": [row.to_dict() for page in pages for row in page.connections],
        "total_count": first.total_count,
        "vpc_service_name": first.vpc_service_name,
        "vpcep_update_switch": first.vpcep_update_switch,
        "permissions": [permission.to_dict() for permission in first.permissions],
    }))
    return 0


def read_pages(client, cluster_id, limit):
    pages, rows = [], 0
    while True:
        page = client.show_vpcep_connection(
            ShowVpcepConnectionRequest(cluster_id=cluster_id, offset=rows, limit=limit)
        )
        pages.append(page)
        rows += len(page.connections)
        if not page.connections or rows >= page.total_count:
            return pages


if __name__ == "__main__":
    cloud_url, project_id, cluster_id, limit = sys.argv[1:]
    sys.exit(main(cloud_url, project_id, cluster_id, int(limit)))
