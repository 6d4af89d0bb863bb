//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// agree checks that all servers send the same responses: a reference that leaves something
// out would make its figures too good.
func agree(ctx context.Context, g *ground, servers []*server) error {
	t := g.workspaces[0]
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "/api/v1/leads?limit=50", ""},
		{http.MethodGet, "/api/v1/leads/" + t.ids[0], ""},
		{http.MethodPost, "/api/v1/leads", leadBody},
	} {
		var first any
		for i, s := range servers {
			got, err := fetch(ctx, s, t.token, request.method, request.path, request.body)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if lead, ok := got.(map[string]any); ok && request.body != "" {
				for _, own := range []string{"id", "createdAt", "updatedAt"} { // differ for each new lead
					lead[own] = strconv.Itoa(len(lead[own].(string)))
				}
			}
			if i == 0 {
				first = got
			} else if !reflect.DeepEqual(got, first) {
				return fmt.Errorf("%s %s: %s responds %v, but %s responds %v", request.method, request.path, servers[0].name, first, s.name, got)
			}
		}
	}
	return nil
}

// fetch returns the decoded response to a request.
func fetch(ctx context.Context, s *server, token, method, path, body string) (any, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, raw)
	}
	var decoded any
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&decoded); err != nil {
		return nil, fmt.Errorf("response: %w: %s", err, raw)
	}
	return decoded, nil
}
