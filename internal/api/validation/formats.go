package validation

import (
	"errors"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

// formats validate the values of `format` that the document uses. kin-openapi does not
// validate formats by default.
var formats = []openapi3.SchemaValidationOption{
	openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
		"uuid":      openapi3.NewCallbackValidator(checkUUID),
		"email":     openapi3.NewCallbackValidator(checkASCIIEmail),
		"idn-email": openapi3.NewCallbackValidator(checkEmail),
		"uri":       openapi3.NewCallbackValidator(checkURI),
		"date-time": openapi3.NewCallbackValidator(checkDateTime),
	}),
}

var errFormat = errors.New("does not have the format")

const uuidLength = 36 // uuid.Parse accepts other forms too

func checkUUID(text string) error {
	if len(text) != uuidLength {
		return errFormat
	}
	_, err := uuid.Parse(text)
	return err
}

// checkASCIIEmail checks an address by RFC 5321, checkEmail also one by RFC 6531.
func checkASCIIEmail(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		return errFormat
	}
	return checkEmail(text)
}

func checkEmail(text string) error {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text {
		return errFormat
	}
	return nil
}

func checkURI(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" || parsed.Host == "" {
		return errFormat
	}
	return nil
}

func checkDateTime(text string) error {
	_, err := time.Parse(time.RFC3339, text)
	return err
}
