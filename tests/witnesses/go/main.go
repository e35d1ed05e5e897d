// Command witness calls a cloud as a user of the official Huawei Cloud SDK for Go does.
//
//	usage: witness CLOUD_URL REGION CALLS
//
// The keys come from HUAWEICLOUD_SDK_AK, _SK and, if set, _SECURITY_TOKEN; the id of the project from
// _PROJECT_ID, and without that the SDK asks IAM for it. CALLS is a JSON array of pairs: the name that the
// SDK has for a call, and the fields of its request. Prints a JSON array with an object for each:
// `answer`, what the SDK made of a success, or `refusal`, what its error says.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/region"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	css "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/css/v1"
	vpcep "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/vpcep/v1"
)

type call func(request json.RawMessage) (any, error)

// typed makes a call of a method of the SDK; a field that its request does not have is an error.
func typed[Request, Answer any](method func(*Request) (*Answer, error)) call {
	return func(fields json.RawMessage) (any, error) {
		request := new(Request)
		decoder := json.NewDecoder(bytes.NewReader(fields))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(request); err != nil {
			return nil, err
		}
		return method(request)
	}
}

// calls builds the clients, each of which asks IAM for the project if none is given.
func calls(cloud, regionID string) (map[string]call, error) {
	credentials, err := basic.NewCredentialsBuilder().
		WithAk(os.Getenv("HUAWEICLOUD_SDK_AK")).
		WithSk(os.Getenv("HUAWEICLOUD_SDK_SK")).
		WithSecurityToken(os.Getenv("HUAWEICLOUD_SDK_SECURITY_TOKEN")).
		WithProjectId(os.Getenv("HUAWEICLOUD_SDK_PROJECT_ID")).
		WithIamEndpointOverride(cloud).
		SafeBuild()
	if err != nil {
		return nil, err
	}
	client := func(builder *core.HcHttpClientBuilder) (*core.HcHttpClient, error) {
		return builder.WithRegion(region.NewRegion(regionID, cloud)).WithCredential(credentials).SafeBuild()
	}
	cssClient, err := client(css.CssClientBuilder())
	if err != nil {
		return nil, err
	}
	vpcepClient, err := client(vpcep.VpcepClientBuilder())
	if err != nil {
		return nil, err
	}
	c, v := css.NewCssClient(cssClient), vpcep.NewVpcepClient(vpcepClient)
	return map[string]call{
		"ListClustersDetails":           typed(c.ListClustersDetails),
		"ShowClusterDetail":             typed(c.ShowClusterDetail),
		"ShowVpcepConnection":           typed(c.ShowVpcepConnection),
		"UpdateVpcepConnection":         typed(c.UpdateVpcepConnection),
		"UpdateVpcepWhitelist":          typed(c.UpdateVpcepWhitelist),
		"ListEndpointService":           typed(v.ListEndpointService),
		"ListServiceDetails":            typed(v.ListServiceDetails),
		"UpdateEndpointService":         typed(v.UpdateEndpointService),
		"ListServiceConnections":        typed(v.ListServiceConnections),
		"ListServicePermissionsDetails": typed(v.ListServicePermissionsDetails),
		"ListServiceDescribeDetails":    typed(v.ListServiceDescribeDetails),
		"ListServicePublicDetails":      typed(v.ListServicePublicDetails),
		"ListQuotaDetails":              typed(v.ListQuotaDetails),
		// These are not calls, but values that the SDK gets from IAM by itself.
		"ProjectId": func(json.RawMessage) (any, error) { return credentials.ProjectId, nil },
		"DomainId":  func(json.RawMessage) (any, error) { return domainID(cloud, regionID) },
	}, nil
}

func domainID(cloud, regionID string) (string, error) {
	credentials, err := global.NewCredentialsBuilder().
		WithAk(os.Getenv("HUAWEICLOUD_SDK_AK")).
		WithSk(os.Getenv("HUAWEICLOUD_SDK_SK")).
		WithSecurityToken(os.Getenv("HUAWEICLOUD_SDK_SECURITY_TOKEN")).
		WithIamEndpointOverride(cloud).
		SafeBuild()
	if err != nil {
		return "", err
	}
	client := impl.NewDefaultHttpClient(config.DefaultHttpConfig())
	if _, err := credentials.ProcessAuthParams(client, regionID); err != nil {
		return "", err
	}
	return credentials.DomainId, nil
}

func outcome(calls map[string]call, name string, request json.RawMessage) map[string]any {
	method, known := calls[name]
	if !known {
		return map[string]any{"refusal": "no call of that name: " + name}
	}
	answer, err := method(request)
	var refusal *sdkerr.ServiceResponseError
	switch {
	case err == nil:
		return map[string]any{"answer": answer}
	case errors.As(err, &refusal):
		return map[string]any{"refusal": map[string]any{
			"status_code": refusal.StatusCode,
			"error_code":  refusal.ErrorCode,
			"error_msg":   refusal.ErrorMessage,
			"request_id":  refusal.RequestId,
		}}
	default:
		return map[string]any{"refusal": err.Error()}
	}
}

func run(cloud, regionID, text string) error {
	var wanted [][2]json.RawMessage
	if err := json.Unmarshal([]byte(text), &wanted); err != nil {
		return err
	}
	calls, err := calls(cloud, regionID)
	if err != nil {
		return err
	}
	outcomes := make([]map[string]any, 0, len(wanted))
	for _, pair := range wanted {
		var name string
		if err := json.Unmarshal(pair[0], &name); err != nil {
			return err
		}
		outcomes = append(outcomes, outcome(calls, name, pair[1]))
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: witness CLOUD_URL REGION CALLS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
