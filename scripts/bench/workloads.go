//go:build linux

package main

import (
	"math/rand/v2"
	"net/http"
	"strconv"
)

// workload is one kind of request.
type workload struct {
	name       string
	status     int
	workspaces int // how many take turns; 0 for all
	rate       int // requests per second of the open loop; 0 for none
	posts      bool
	write      func(buf []byte, t *tenant) []byte
}

// String returns the name.
func (w *workload) String() string { return w.name }

// tenant returns the workspace of the next request.
func (w *workload) tenant(g *ground) *tenant {
	n := len(g.workspaces)
	if w.workspaces > 0 {
		n = min(n, w.workspaces)
	}
	return &g.workspaces[rand.IntN(n)]
}

const leadBody = `{"fields":{"name":"Anna Nowak","email":"anna.nowak@example.com","phone":"+48 111 222 333","company":"Nowak Shoes Ltd","note":"Asked for ten pairs of winter boots, size 39"},"source":"external-form"}`

var (
	listWork = &workload{name: "list 50", status: http.StatusOK, rate: 500, write: func(buf []byte, t *tenant) []byte {
		return appendHead(append(buf, "GET /api/v1/leads?limit=50"...), t, "\r\n")
	}}
	gzipWork = &workload{name: "list 50, gzip", status: http.StatusOK, write: func(buf []byte, t *tenant) []byte {
		return appendHead(append(buf, "GET /api/v1/leads?limit=50"...), t, "Accept-Encoding: gzip\r\n\r\n")
	}}
	getWork = &workload{name: "get", status: http.StatusOK, rate: 2000, write: func(buf []byte, t *tenant) []byte {
		buf = append(buf, "GET /api/v1/leads/"...)
		return appendHead(append(buf, t.ids[rand.IntN(len(t.ids))]...), t, "\r\n")
	}}
	postTenWork = &workload{name: "POST, ten workspaces", status: http.StatusCreated, rate: 500, posts: true, write: appendPost}
	postOneWork = &workload{name: "POST, one workspace", status: http.StatusCreated, workspaces: 1, posts: true, write: appendPost}

	workloads = []*workload{listWork, gzipWork, getWork, postTenWork, postOneWork}
)

// appendHead appends the rest of a request's head. Requests are appended and not formatted,
// to leave most of the machine to the servers.
func appendHead(buf []byte, t *tenant, rest string) []byte {
	buf = append(buf, " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "...)
	buf = append(buf, t.token...)
	buf = append(buf, "\r\n"...)
	return append(buf, rest...)
}

func appendPost(buf []byte, t *tenant) []byte {
	buf = append(buf, "POST /api/v1/leads"...)
	buf = appendHead(buf, t, "Content-Type: application/json\r\nContent-Length: ")
	buf = strconv.AppendInt(buf, int64(len(leadBody)), 10)
	buf = append(buf, "\r\n\r\n"...)
	return append(buf, leadBody...)
}
