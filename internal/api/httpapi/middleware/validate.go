package middleware

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
)

// Validate rejects requests that do not conform to the OpenAPI document and lists all
// validation errors in one response. Handlers can rely on valid input.
func Validate(document *spec.Document) echo.MiddlewareFunc {
	validators := make(map[*spec.Operation]*validation.Validator, len(document.All()))
	for _, operation := range document.All() {
		validators[operation] = validation.New(operation)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			call := CallFrom(c.Request().Context())
			if call.Operation == nil {
				return next(c)
			}
			if err := check(c, call, validators[call.Operation]); err != nil {
				return err
			}
			return next(c)
		}
	}
}

func check(c echo.Context, call *Call, validator *validation.Validator) error {
	r := c.Request()
	invalid, err := validator.Parameters(r, c.Param)
	if err != nil {
		return err
	}
	fields, err := checkBody(r, call, validator)
	if err != nil {
		return err
	}
	if invalid = append(invalid, fields...); len(invalid) > 0 {
		return problem.Invalid(invalid...)
	}
	return nil
}

// checkBody does not read bodies other than JSON: their handlers read the stream.
func checkBody(r *http.Request, call *Call, validator *validation.Validator) ([]api.FieldError, error) {
	definition := call.Operation.Body
	if definition == nil || !definition.Required && r.ContentLength == 0 {
		return nil, nil
	}
	if err := validator.MediaType(r); err != nil || !validator.TakesJSON() {
		return nil, err
	}
	body, fields, err := validator.ReadBody(r)
	if body != nil {
		call.body, r.Body = body.Raw, body
	}
	return fields, err
}
