"""Reads, or changes, one VPC endpoint service as a user of the official SDK would.

usage: change_service.py CLOUD_URL PROJECT_ID SERVICE_ID [FILE]

The keys come from HUAWEICLOUD_SDK_AK and _SK. With a FILE, which holds the body of the API in JSON, it
is sent by `update_endpoint_service` first. Prints one JSON object: `answer`, what the SDK made of the
answer to that, or null; and `service`, what `list_service_details` shows.
"""

import json
import os
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkvpcep.v1 import (
    ListServiceDetailsRequest,
    PortList,
    UpdateEndpointServiceRequest,
    UpdateEndpointServiceRequestBody,
    VpcepClient,
)


def main(cloud_url, project_id, service_id, path=None):
    credentials = BasicCredentials(
        os.environ["HUAWEICLOUD_SDK_AK"], os.environ["HUAWEICLOUD_SDK_SK"], project_id
    )
    client = VpcepClient.new_builder().with_credentials(credentials).with_endpoint(cloud_url).build()

    answer = None
    if path:
        with open(path, encoding="utf-8") as file:
            body = json.load(file)
        if "ports" in body:
            body["ports"] = [PortList(**port) for port in body["ports"]]
        answer = client.update_endpoint_service(UpdateEndpointServiceRequest(
            vpc_endpoint_service_id=service_id, body=UpdateEndpointServiceRequestBody(**body)
        ))
    service = client.list_service_details(
        ListServiceDetailsRequest(vpc_endpoint_service_id=service_id)
    )
    shown = {"answer": answer and answer.to_dict(), "service": service.to_dict()}
    print(json.dumps(shown, default=str))


main(*sys.argv[1:])
