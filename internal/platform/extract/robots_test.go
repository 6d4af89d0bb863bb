package extract_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
)

func readRobots(t *testing.T, content string) extract.Robots {
	t.Helper()
	robots, err := newRunner(t).ReadRobots(t.Context(), extract.Task{Robot: "ConvoBot"}, strings.NewReader(content))
	require.NoError(t, err)
	return robots
}

func TestTheGroupOfTheRobotIsRead(t *testing.T) {
	t.Parallel()
	disallowed := func(patterns ...string) (rules []extract.RobotsRule) {
		for _, pattern := range patterns {
			rules = append(rules, extract.RobotsRule{Pattern: pattern})
		}
		return rules
	}
	for name, test := range map[string]struct {
		robots string
		want   extract.Robots
	}{
		"rules before a group": {"Disallow: /a\nUser-agent: *\nDisallow: /b\n", extract.Robots{Rules: disallowed("/b")}},
		"groups of the robot are one": {
			"User-agent: ConvoBot/1.0\nDisallow: /a\nCrawl-delay: 2\n\nUser-agent: other\nDisallow: /x\n\nuser-agent:CONVOBOT\ndisallow:/bb\n",
			extract.Robots{Rules: disallowed("/bb", "/a"), DelaySeconds: 2},
		},
		"a group of several robots": {"User-agent: other\nUser-agent: ConvoBot\nDisallow: /a\nUser-agent: *\nDisallow: /b\n", extract.Robots{Rules: disallowed("/a")}},
		"a name that begins alike":  {"User-agent: ConvoBotBeta\nDisallow: /\n", extract.Robots{}},
		"an own group without rules": {
			"User-agent: *\nDisallow: /\nUser-agent: ConvoBot\nDisallow:\n", extract.Robots{},
		},
		"the longest pattern first, then what allows": {
			"User-agent: *\nDisallow: /a\nAllow: /a\nDisallow: /abc\n",
			extract.Robots{Rules: []extract.RobotsRule{{Pattern: "/abc"}, {Allow: true, Pattern: "/a"}, {Pattern: "/a"}}},
		},
		"sitemaps belong to no group": {"User-agent: other\nSitemap: https://example.com/a.xml\n", extract.Robots{Sitemaps: []string{"https://example.com/a.xml"}}},
		"delays that are none":        {"User-agent: *\nCrawl-delay: -1\nCrawl-delay: NaN\nCrawl-delay: Inf\nCrawl-delay: soon\n", extract.Robots{}},
		"a byte order mark":           {"\uFEFFUser-agent: *\rDisallow: /a\r", extract.Robots{Rules: disallowed("/a")}},
		"repeated wildcards":          {"User-agent: *\nDisallow: /a*****b\n", extract.Robots{Rules: disallowed("/a*b")}},
		"a pattern longer than any address": {
			"User-agent: *\nDisallow: /" + strings.Repeat("a", 2048) + "\nDisallow: /" + strings.Repeat("b*", 2047) + "\n",
			extract.Robots{Rules: disallowed("/" + strings.Repeat("b*", 2047))},
		},
	} {
		require.Equal(t, test.want, readRobots(t, test.robots), name)
	}
}

func TestSpellingsOfAnAddressAreCompared(t *testing.T) {
	t.Parallel()
	robots := readRobots(t, "User-agent: *\nDisallow: /zażółć\nDisallow: /%c5%82\nDisallow: /a%2fb\n")
	for address, allowed := range map[string]bool{
		"/za%C5%BC%C3%B3%C5%82%C4%87": false, "/za%c5%bc%c3%b3%c5%82%c4%87/x": false, "/%C5%82": false, "/a%2Fb": false, "/a/b": true, "/za": true, "/%": true,
	} {
		require.Equal(t, allowed, robots.Allows(address), address)
	}
}

// FuzzRobotsPatterns compares patterns with regular expressions.
func FuzzRobotsPatterns(f *testing.F) {
	f.Add("/a*b$", "/aXbYb")
	f.Add("/*a*a", "/bab")
	f.Add("/a$b*", "/a$bc")
	f.Add("*", "")
	f.Add("/a*$", "/ab")
	f.Fuzz(func(t *testing.T, pattern, address string) {
		if len(pattern)+len(address) > 200 || strings.ContainsFunc(pattern+address, func(c rune) bool { return c <= ' ' || c > '~' || c == '%' }) {
			t.Skip("only characters that are not encoded")
		}
		expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
		if rest, ok := strings.CutSuffix(expression, `\$`); ok {
			expression = rest + "$"
		}
		matches := regexp.MustCompile("^(?:" + expression + ")").MatchString(address)
		robots := extract.Robots{Rules: []extract.RobotsRule{{Pattern: pattern}}}
		require.Equal(t, !matches, robots.Allows(address), "%s %s", pattern, address)
	})
}

// BenchmarkRobotsOfWildcards compares an address with as many patterns as there may be,
// all of which almost match.
func BenchmarkRobotsOfWildcards(b *testing.B) {
	robots := extract.Robots{}
	for range 10_000 {
		robots.Rules = append(robots.Rules, extract.RobotsRule{Pattern: "/*aaz"})
	}
	address := "/" + strings.Repeat("a", 1900)
	for b.Loop() {
		require.True(b, robots.Allows(address))
	}
}
