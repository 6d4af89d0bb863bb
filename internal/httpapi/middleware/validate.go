package middleware

import (
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/apierr"
	"github.com/avelto/convo/internal/spec"
	"github.com/avelto/convo/internal/validation"
)

// Validate refuses a request that breaks the document's rules, naming all that
// it breaks at once. What comes after it can rely on them.
func Validate(document *spec.Document) (echo.MiddlewareFunc, error) {
	validators := make(map[*spec.Operation]*validation.Validator, len(document.Operations))
	for _, operation := range document.Operations {
		validator, err := validation.New(operation)
		if err != nil {
			return nil, fmt.Errorf("validator: %w", err)
		}
		validators[operation] = validator
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
	}, nil
}

func check(c echo.Context, call *Call, validator *validation.Validator) error {
	r := c.Request()
	broken, err := validator.Parameters(r, pathParameters(c))
	if err != nil {
		return err //nolint:wrapcheck // it is meant for the caller
	}
	if hasBody := call.Operation.Body != nil && (call.Operation.Body.Required || r.ContentLength != 0); hasBody {
		if err := validator.MediaType(r); err != nil {
			return err //nolint:wrapcheck // likewise
		}
		if validator.TakesJSON() {
			body, faults, err := validator.ReadBody(r)
			if err != nil {
				return err //nolint:wrapcheck // likewise
			}
			broken = append(broken, faults...)
			if body != nil {
				call.body, r.Body = body.Raw, body
			}
		}
	}
	if len(broken) > 0 {
		return apierr.Invalid(broken...)
	}
	return nil
}

func pathParameters(c echo.Context) map[string]string {
	names := c.ParamNames()
	if len(names) == 0 {
		return nil
	}
	parameters := make(map[string]string, len(names))
	for i, value := range c.ParamValues() {
		parameters[names[i]] = value
	}
	return parameters
}
