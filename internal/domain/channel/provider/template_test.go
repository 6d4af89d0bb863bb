package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

func TestATemplateIsFilled(t *testing.T) {
	t.Parallel()
	numbered := provider.Template{Name: "n", Language: "pl", Body: "{{2}} i {{10}} dla {{ 1 }}, {{2}}. {{ }} {{x y}}"}
	require.Equal(t, []string{"1", "2", "10"}, numbered.Parameters())
	text, message, err := numbered.Fill([]string{"Anny", "buty", "{{1}}"})
	require.NoError(t, err)
	require.Equal(t, "buty i {{1}} dla Anny, buty. {{ }} {{x y}}", text, "values are not filled in again")
	require.Equal(t, provider.TemplateMessage{Name: "n", Language: "pl", Parameters: []provider.TemplateValue{{Text: "Anny"}, {Text: "buty"}, {Text: "{{1}}"}}}, message)

	named := provider.Template{Body: "{{product}} is back, {{first_name}}: {{product}}", Named: true}
	require.Equal(t, []string{"product", "first_name"}, named.Parameters())
	text, message, err = named.Fill([]string{"Boots", "Anna"})
	require.NoError(t, err)
	require.Equal(t, "Boots is back, Anna: Boots", text)
	require.Equal(t, []provider.TemplateValue{{Name: "product", Text: "Boots"}, {Name: "first_name", Text: "Anna"}}, message.Parameters)

	text, message, err = provider.Template{Name: "plain", Body: "Hello."}.Fill(nil)
	require.NoError(t, err)
	require.Equal(t, "Hello.", text)
	require.Empty(t, message.Parameters)
}

func TestATemplateIsNotFilledWithOtherValues(t *testing.T) {
	t.Parallel()
	for _, values := range [][]string{nil, {"one"}, {"one", "two", "three"}} {
		_, _, err := provider.Template{Body: "{{1}} {{2}}"}.Fill(values)
		var wrong *provider.TemplateValuesError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, provider.TemplateValuesError{Count: 2}, *wrong)
	}
	_, _, err := provider.Template{Body: "Hello.", Unsendable: true}.Fill(nil)
	require.ErrorContains(t, err, "0 parameters")
}
