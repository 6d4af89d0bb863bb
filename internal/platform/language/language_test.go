package language_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/language"
)

func TestInflectedWordsHaveTheSameStem(t *testing.T) {
	t.Parallel()
	for in, groups := range map[language.Language][][]string{
		language.English: {{"return", "returns", "returned", "returning"}, {"shoe", "shoes"}, {"city", "cities"}, {"shop", "shop's", "shop’s"}},
		language.Polish: {
			{"but", "buty", "butów", "butami"},
			{"zwrot", "zwroty", "zwrotów", "zwrotu"},
			{"magazyn", "magazynu", "magazyny", "magazynie"},
			{"zamówienie", "zamówienia", "zamówieniu"},
			{"stopa", "stopy", "stóp"},
		},
	} {
		for _, group := range groups {
			for _, word := range group {
				require.Equal(t, language.Stem(group[0], in), language.Stem(word, in), "%s: %s and %s", in, group[0], word)
			}
		}
	}
	require.NotEqual(t, language.Stem("but", language.Polish), language.Stem("zwrot", language.Polish))
}

func TestStopWordsHaveNoStem(t *testing.T) {
	t.Parallel()
	require.Empty(t, language.Stem("the", language.English))
	require.Empty(t, language.Stem("oraz", language.Polish))
	require.Empty(t, language.Alternatives("the"))
	require.NotEmpty(t, language.Alternatives("boots"))
}

func TestDetect(t *testing.T) {
	t.Parallel()
	require.Equal(t, language.English, language.Detect("Customers can return shoes within thirty days if they are clean."))
	require.Equal(t, language.Polish, language.Detect("Klienci mogą zwrócić buty w ciągu trzydziestu dni, jeżeli są czyste."))
	require.Equal(t, language.Other, language.Detect("Die Schuhe können innerhalb von dreißig Tagen zurückgegeben werden."))
	require.Equal(t, language.Other, language.Detect("x"))
}

func TestPassagesOfOtherLanguagesThanTheirTextAreDetected(t *testing.T) {
	t.Parallel()
	const english = "Customers can return shoes within thirty days if they are clean."
	const polish = "Klienci mogą zwrócić buty w ciągu trzydziestu dni, jeżeli są czyste."
	const german = "Die Schuhe können innerhalb von dreißig Tagen zurückgegeben werden."
	for sample, main := range map[string]language.Language{english: language.English, polish: language.Polish, german: language.Other, "x": language.Other} {
		d := language.NewDetector(sample)
		require.Equal(t, main, d.Main, sample)
		require.Equal(t, language.English, d.Detect(english), sample)
		require.Equal(t, language.Polish, d.Detect(polish), sample)
		require.Equal(t, main, d.Detect("x"), sample)
	}
	require.Equal(t, language.Other, language.NewDetector(german).Detect(german))
}

func TestWordsHavePositions(t *testing.T) {
	t.Parallel()
	text := "Zażółć, GĘŚLĄ-jaźń 42!"
	var words []string
	for _, word := range language.Words(text) {
		words = append(words, word.Text+"="+text[word.Start:word.End])
	}
	require.Equal(t, []string{"zażółć=Zażółć", "gęślą=GĘŚLĄ", "jaźń=jaźń", "42=42"}, words)
}
