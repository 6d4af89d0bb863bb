package language_test

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/language"
)

func TestEnglishStems(t *testing.T) {
	t.Parallel()
	for word, stem := range map[string]string{
		"running": "run", "delivered": "deliv", "deliveries": "deliveri", "delivery": "deliveri", "refunds": "refund", "happily": "happili",
		"customer's": "custom", "customer’s": "custom", "don't": "", "42": "42", "x": "x", "": "", "the": "", "is": "",
	} {
		require.Equal(t, stem, language.Stem(word, language.English), word)
	}
}

// TestPolishSearchFindsInflectedWords requires that a query in one form finds the other.
func TestPolishSearchFindsInflectedWords(t *testing.T) {
	t.Parallel()
	for query, forms := range map[string][]string{
		"but": {"buty", "butów", "butom", "butami"}, "zwrot": {"zwrotu", "zwrotem", "zwroty", "zwrotów"},
		"faktura":    {"faktury", "fakturę", "faktur"},
		"reklamacja": {"reklamacji", "reklamację", "reklamacje"}, "dostawa": {"dostawy", "dostawę", "dostaw"},
	} {
		stem := language.Stem(query, language.Polish)
		require.NotEmpty(t, stem)
		for _, form := range forms {
			require.Equal(t, stem, language.Stem(form, language.Polish), "%s and %s", query, form)
		}
	}
}

func TestPolishLettersAreFolded(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"żółć", "gęś", "łódź", "zażółć", "źdźbło", "ósmy"} {
		stem := language.Stem(word, language.Polish)
		require.NotEmpty(t, stem, word)
		require.NotContains(t, strings.Map(func(r rune) rune {
			if r > 127 {
				return '!'
			}
			return r
		}, stem), "!", "%s: %s", word, stem)
	}
}

func TestDifferentWordsKeepDifferentStems(t *testing.T) {
	t.Parallel()
	for in, words := range map[language.Language][]string{
		language.English: {"shoe", "shop", "ship", "refund", "return", "price", "prize", "invoice"},
		language.Polish:  {"but", "zwrot", "sklep", "faktura", "dostawa", "cena", "klient", "rozmiar"},
		language.Other:   {"schuhe", "schuh", "größe", "preis"},
	} {
		seen := map[string]string{}
		for _, word := range words {
			stem := language.Stem(word, in)
			require.Empty(t, seen[stem], "%s: %s has the stem of another word", in, word)
			seen[stem] = word
		}
	}
}

func TestTextInOtherLanguagesIsIndexedAsItIs(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"zurückgegeben", "the", "oraz", "обувь", "παπούτσι", "42a"} {
		require.Equal(t, word, language.Stem(word, language.Other))
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                             nil,
		" \t\n":                        nil,
		"?! … — 😀 👩‍👩‍👧":               nil,
		"Hello, World":                 {"hello", "world"},
		"Cafe\u0301 CAFÉ":              {"café", "café"},
		"don't can’t":                  {"don't", "can’t"},
		"3.50 zł, 1,000 km":            {"3.50", "zł", "1,000", "km"},
		"snake_case camelCase":         {"snake_case", "camelcase"},
		"func main() { x := y[0] }":    {"func", "main", "x", "y", "0"},
		"anna@example.com":             {"anna", "example.com"},
		"https://example.com/a?b=c":    {"https", "example.com", "a", "b", "c"},
		"Zwrot 30 dni return within 😀": {"zwrot", "30", "dni", "return", "within"},
		"ΣΊΣΥΦΟΣ İ":                    {strings.ToLower("ΣΊΣΥΦΟΣ"), strings.ToLower("İ")},
	} {
		var got []string
		for _, word := range language.Words(text) {
			require.Contains(t, text, text[word.Start:word.End])
			got = append(got, word.Text)
		}
		require.Equal(t, want, got, text)
	}
}

// FuzzWords requires that words are in order, do not overlap, and are valid UTF-8.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"a b", "żółć", "\xff\xfe a", "e\u0301", "👩‍👩‍👧 x", "a\x00b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, word := range language.Words(text) {
			require.GreaterOrEqual(t, word.Start, end)
			require.Greater(t, word.End, word.Start)
			end = word.End
			for _, stem := range language.Alternatives(word.Text) {
				require.NotEmpty(t, stem)
				require.NotContains(t, stem, " ")
				require.NotContains(t, stem, "'")
			}
		}
		require.LessOrEqual(t, end, len(text))
		if utf8.ValidString(text) {
			require.True(t, utf8.ValidString(language.Stems(text, language.Polish)))
		}
	})
}

func TestStemsOmitStopWordsAndPunctuation(t *testing.T) {
	t.Parallel()
	require.Equal(t, "return shoe within 30 day", language.Stems("Return the SHOES within… 30 days!", language.English))
	require.Empty(t, language.Stems("the and of 😀", language.English))
	require.Empty(t, language.Stems("", language.Polish))
	require.Equal(t, "a b c", language.Stems("a-b/c", language.Other))
}

// TestAlternativesFindAWordInTextOfEitherLanguage indexes a word in a language that the
// query does not know.
func TestAlternativesFindAWordInTextOfEitherLanguage(t *testing.T) {
	t.Parallel()
	for in, words := range map[language.Language][]string{
		language.English: {"boots", "returned", "invoice"}, language.Polish: {"zwrotów", "butami", "faktur"}, language.Other: {"schuhe", "größe"},
	} {
		for _, word := range words {
			require.Contains(t, language.Alternatives(word), language.Stem(word, in), word)
		}
	}
	require.Equal(t, []string{"42"}, language.Alternatives("42"), "each once")
	for _, word := range []string{"the", "oraz", "", "'", "😀"} {
		require.Empty(t, language.Alternatives(word), word)
	}
}

func TestDetectionNeedsProse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]language.Language{
		"": language.Other, "Hello!": language.Other, strings.Repeat("😀", 50): language.Other, strings.Repeat("1234567890 ", 20): language.Other,
		"Reszta zamówienia zostanie wysłana w przyszłym tygodniu.":               language.Polish,
		"The rest of your order will be sent next week, without further charge.": language.English,
		"Остаток заказа будет отправлен на следующей неделе без доплаты.":        language.Other,
	} {
		require.Equal(t, want, language.Detect(text), text)
	}
}

func TestStemIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				language.Stems("Klienci mogą zwrócić buty. Customers can return shoes.", language.Polish)
			}
		})
	}
	group.Wait()
	require.Equal(t, language.Stem("but", language.Polish), language.Stem("butów", language.Polish))
}
