// Package openapi holds the published document, from which the rest is derived.
package openapi

import _ "embed"

// JSON is openapi.json as it is published: OpenAPI 3.1, UTF-8.
//
//go:embed openapi.json
var JSON []byte

// Postman is the collection for Postman, format 2.1, derived from JSON.
//
//go:embed postman.json
var Postman []byte
