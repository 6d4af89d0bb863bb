package weburl_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/weburl"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://Example.com":                               "http://example.com/",
		"https://example.com:443/a#part":                   "https://example.com/a",
		"http://example.com:80/":                           "http://example.com/",
		"http://example.com:8080/":                         "http://example.com:8080/",
		"https://example.com/a/../b/./c//d/":               "https://example.com/b/c/d/",
		"https://example.com/?b=2&a=1&a=0":                 "https://example.com/?a=1&a=0&b=2",
		"https://example.com/ż?q=ł":                        "https://example.com/%C5%BC?q=%C5%82",
		"mailto:x@example.com":                             "",
		"ftp://example.com/":                               "",
		"/relative":                                        "",
		"https://user:password@example.com/":               "",
		"https://example.com/" + strings.Repeat("x", 4000): "",
		"https://example.com/" + strings.Repeat("ł", 1500): "",
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		got, ok := weburl.Canonical(u)
		require.Equal(t, want != "", ok, raw)
		if ok {
			require.Equal(t, want, got)
			again, err := url.Parse(got)
			require.NoError(t, err)
			twice, _ := weburl.Canonical(again)
			require.Equal(t, got, twice, "canonical forms do not change")
		}
	}
}

func TestCanonicalAcceptsExactlyMaxBytes(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("https://example.com/" + strings.Repeat("x", weburl.Max-len("https://example.com/")))
	require.NoError(t, err)
	got, ok := weburl.Canonical(u)
	require.True(t, ok)
	require.Len(t, got, weburl.Max)
	u.Path += "x"
	_, ok = weburl.Canonical(u)
	require.False(t, ok)
}

func TestResolveStaysOnTheHost(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("https://example.com/docs/a")
	require.NoError(t, err)
	for href, want := range map[string]string{
		"b":                        "https://example.com/docs/b",
		" /c#x ":                   "https://example.com/c", //nolint:gocritic // the white space is the case
		"?q=1":                     "https://example.com/docs/a?q=1",
		"//EXAMPLE.com/d":          "https://example.com/d",
		"https://other.example/":   "",
		"//other.example/":         "",
		"javascript:alert(1)":      "",
		"https://example.com:99/":  "",
		"https://a@example.com/":   "",
		"%zz":                      "",
		strings.Repeat("x", 4000):  "",
		strings.Repeat("x", 1<<20): "",
	} {
		got, ok := weburl.Resolve(base, "example.com", href)
		require.Equal(t, want != "", ok, href[:min(len(href), 60)])
		if ok {
			require.Equal(t, want, got)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, href := range []string{"../a?b#c", "//x", "http://[::1]:80/%2e%2e/", "?a=%zz&b;c", "/.//../"} {
		f.Add(href)
	}
	f.Fuzz(func(t *testing.T, href string) {
		base := &url.URL{Scheme: "https", Host: "example.com", Path: "/a/b"}
		got, ok := weburl.Resolve(base, base.Host, href)
		if !ok {
			return
		}
		u, err := url.Parse(got)
		require.NoError(t, err)
		require.Equal(t, "example.com", u.Host)
		require.LessOrEqual(t, len(got), weburl.Max)
		again, ok := weburl.Canonical(u)
		require.True(t, ok)
		require.Equal(t, got, again)
	})
}
