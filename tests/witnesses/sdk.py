"""Calls a cloud as a user of the official Huawei Cloud SDK for Python does.

usage: sdk.py CLOUD_URL REGION CALLS

`ReadAs` reads connections with other credentials than keys, of which the SDK makes keys by itself; `CallerIdentity`
asks STS who has the keys.

The keys come from HUAWEICLOUD_SDK_AK, _SK and, if set, _SECURITY_TOKEN; the id of the project from
_PROJECT_ID, and without that the SDK asks IAM for it. CALLS is a JSON array of pairs: the name that the
SDK has for a call, and the fields of its request. Prints a JSON array with an object for each: `answer`,
what the SDK made of a success, or `refusal`, what its error says.
"""

import json
import os
import re
import sys

from huaweicloudsdkcore.auth import internal, provider
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import SdkException, ServiceResponseException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.utils.http_utils import sanitize_for_serialization
from huaweicloudsdkcss import v1 as css
from huaweicloudsdkvpcep import v1 as vpcep

CALLS = {
    "ListClustersDetails": css,
    "ShowClusterDetail": css,
    "ShowVpcepConnection": css,
    "UpdateVpcepConnection": css,
    "UpdateVpcepWhitelist": css,
    "ListEndpointService": vpcep,
    "ListServiceDetails": vpcep,
    "UpdateEndpointService": vpcep,
    "ListServiceConnections": vpcep,
    "ListServicePermissionsDetails": vpcep,
    "ListServiceDescribeDetails": vpcep,
    "ListServicePublicDetails": vpcep,
    "ListQuotaDetails": vpcep,
}
BODIES = {
    "UpdateVpcepConnection": css.UpdateVpcepConnectionReq,
    "UpdateVpcepWhitelist": css.UpdateVpcepWhitelistReq,
    "UpdateEndpointService": vpcep.UpdateEndpointServiceRequestBody,
}


class Cloud:
    def __init__(self, url, region):
        self.url, self.region = url, region
        self.credentials = self.with_keys(BasicCredentials)
        self.credentials.project_id = os.environ.get("HUAWEICLOUD_SDK_PROJECT_ID")
        # Each asks IAM for the project if none is given.
        self.clients = {
            css: self.client(css.CssClient, self.credentials),
            vpcep: self.client(vpcep.VpcepClient, self.credentials),
        }

    def with_keys(self, kind):
        credentials = kind(os.environ["HUAWEICLOUD_SDK_AK"], os.environ["HUAWEICLOUD_SDK_SK"])
        if token := os.environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN"):
            credentials.with_security_token(token)
        return credentials.with_iam_endpoint(self.url)

    def client(self, kind, credentials):
        region = Region(self.region, self.url)
        return kind.new_builder().with_credentials(credentials).with_region(region).build()

    def credentials_of(self, kind, **fields):
        """Credentials of a platform, an identity provider or an agency; IAM tells the project."""
        if kind == "identity_provider":
            credentials = BasicCredentials().with_idp_id(fields["idp_id"])
            return credentials.with_id_token_file(fields["id_token_file"])
        if kind == "oidc":
            credentials = provider.OidcStsCredentialProvider("basic", **fields).get_credentials()
            return credentials.with_sts_endpoint(self.url)
        if kind == "pod_identity":
            os.environ["HC_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self.url}/pod-identity/credentials"
            os.environ["HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = fields["token_file"]
            return provider.PodIdentityCredentialProvider.get_basic().get_credentials()
        internal.MetadataAccessor._METADATA_ENDPOINT = self.url
        return provider.MetadataCredentialProvider.get_basic().get_credentials()

    def call(self, name, fields):
        # The first two are not calls, but values that the SDK gets from IAM by itself.
        if name == "ProjectId":
            return self.credentials.project_id
        if name == "DomainId":
            http = self.clients[css].get_http_client()
            return self.with_keys(GlobalCredentials).process_auth_params(http, self.region).domain_id
        if name == "CallerIdentity":
            http = self.clients[css].get_http_client()
            request = internal.StsHelper.get_caller_identity_request(http.config, self.url)
            signed = self.credentials.process_auth_request(request, http).result()
            return json.loads(http.do_request_sync(signed).content)
        if name == "ReadAs":
            credentials = self.credentials_of(**fields["credentials"]).with_iam_endpoint(self.url)
            request = css.ShowVpcepConnectionRequest(cluster_id=fields["cluster_id"])
            return self.client(css.CssClient, credentials).show_vpcep_connection(request)
        package = CALLS[name]
        if body := fields.get("body"):
            if "ports" in body:
                body["ports"] = [vpcep.PortList(**port) for port in body["ports"]]
            fields["body"] = BODIES[name](**body)
        request = getattr(package, f"{name}Request")(**fields)
        method = re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
        return getattr(self.clients[package], method)(request)


def outcome(cloud, name, fields):
    try:
        return {"answer": sanitize_for_serialization(cloud.call(name, fields))}
    except ServiceResponseException as refusal:
        names = ("status_code", "error_code", "error_msg", "request_id")
        return {"refusal": {name: getattr(refusal, name) for name in names}}
    except SdkException as refusal:
        return {"refusal": str(refusal)}


def main(url, region, calls):
    cloud = Cloud(url, region)
    print(json.dumps([outcome(cloud, name, fields) for name, fields in json.loads(calls)]))


main(*sys.argv[1:])
