package extract

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/platform/weburl"
)

const (
	// MaxRobots is how large a robots.txt may be, in bytes (RFC 9309, section 2.5).
	MaxRobots = 512 << 10
	// maxRules is how many rules a robots.txt may have for one robot, and maxWildcards how
	// many wildcards all of them: each page is compared with all of them.
	maxRules     = 10_000
	maxWildcards = 10_000
)

// Robots is what a robots.txt says to one robot.
type Robots struct {
	// Rules are in the order in which they apply: the first one that matches decides.
	Rules        []RobotsRule `json:"rules,omitempty"`
	DelaySeconds float64      `json:"delaySeconds,omitzero"` // Crawl-delay
	Sitemaps     []string     `json:"sitemaps,omitempty"`
}

// RobotsRule allows or disallows the addresses that begin with a pattern. In a pattern, *
// is any text, and $ at its end the end of the address.
type RobotsRule struct {
	Allow   bool   `json:"allow,omitzero"`
	Pattern string `json:"pattern"`
}

// Allows reports whether the robot may read an address, given from its path on. At worst
// it reads each pattern and, for each pattern with a wildcard, the address once.
func (r *Robots) Allows(address string) bool {
	address = escape(address)
	for _, rule := range r.Rules {
		if rule.matches(address) {
			return rule.Allow
		}
	}
	return true
}

// matches compares the parts of the pattern from left to right and puts each as far left
// as it fits. No other position can make the rest fit that this one does not, so none is
// tried.
func (r RobotsRule) matches(address string) bool {
	pattern, whole := strings.CutSuffix(r.Pattern, "$")
	part, pattern, more := strings.Cut(pattern, "*")
	rest, ok := strings.CutPrefix(address, part)
	for ok && more {
		if part, pattern, more = strings.Cut(pattern, "*"); !more && whole {
			return strings.HasSuffix(rest, part)
		}
		_, rest, ok = strings.Cut(rest, part)
	}
	return ok && (!whole || rest == "")
}

// escape percent-encodes what is not ASCII, and writes hexadecimal digits in upper case.
// Then two spellings of an address are the same text (RFC 9309, section 2.2.2).
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x80 || c <= ' ':
			fmt.Fprintf(&b, "%%%02X", c)
		case c == '%' && i+2 < len(s):
			b.WriteString(strings.ToUpper(s[i : i+3]))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// robotsReader collects the groups of a robots.txt for one robot, and those for all.
type robotsReader struct {
	robot       string
	own, others Robots
	hasOwn      bool
	// Whom the current group is for. It is open while only its User-agent lines were read.
	forOwn, forOthers, open bool
	sitemaps                []string
}

// robots reads a robots.txt. Lines that it does not understand are skipped (RFC 9309,
// section 2.2).
func (t Task) robots(content []byte) (*Robots, error) {
	if len(content) > MaxRobots {
		return nil, failed(TooLarge, "more than %d KiB", MaxRobots>>10)
	}
	r := robotsReader{robot: t.Robot}
	text := strings.TrimPrefix(string(content), "\uFEFF")
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
		line, _, _ = strings.Cut(line, "#")
		if key, value, ok := strings.Cut(line, ":"); ok {
			r.line(strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value))
		}
	}
	found := &r.others
	if r.hasOwn {
		found = &r.own
	}
	found.Sitemaps = r.sitemaps
	return found, found.sort()
}

func (r *robotsReader) line(key, value string) {
	switch key {
	case "user-agent":
		if !r.open {
			r.forOwn, r.forOthers, r.open = false, false, true
		}
		r.forOthers = r.forOthers || value == "*"
		r.forOwn = r.forOwn || strings.EqualFold(product(value), r.robot)
		r.hasOwn = r.hasOwn || r.forOwn
	case "allow", "disallow":
		r.rule(RobotsRule{Allow: key == "allow", Pattern: pattern(value)})
	case "crawl-delay":
		r.delay(value)
	case "sitemap":
		if len(r.sitemaps) < maxSitemaps && len(value) <= weburl.Max {
			r.sitemaps = append(r.sitemaps, strings.ToValidUTF8(value, ""))
		}
	}
}

// product returns the name of a robot without its version.
func product(agent string) string {
	end := strings.IndexFunc(agent, func(c rune) bool { return c == '/' || c == ' ' || c == '\t' })
	if end < 0 {
		return agent
	}
	return agent[:end]
}

// pattern returns the form of a pattern that rules are compared in, without repeated
// wildcards.
func pattern(value string) string {
	value = escape(value)
	for strings.Contains(value, "**") {
		value = strings.ReplaceAll(value, "**", "*")
	}
	return value
}

func (r *robotsReader) rule(rule RobotsRule) {
	r.open = false
	// A pattern with more characters than an address can have matches none.
	if rule.Pattern == "" || len(rule.Pattern)-strings.Count(rule.Pattern, "*") > weburl.Max {
		return
	}
	if r.forOwn {
		r.own.Rules = append(r.own.Rules, rule)
	}
	if r.forOthers {
		r.others.Rules = append(r.others.Rules, rule)
	}
}

func (r *robotsReader) delay(value string) {
	r.open = false
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(seconds) || math.IsInf(seconds, 0) || seconds < 0 {
		return
	}
	if r.forOwn {
		r.own.DelaySeconds = seconds
	}
	if r.forOthers {
		r.others.DelaySeconds = seconds
	}
}

// sort puts the rules in the order in which they apply: the longest pattern first, and
// what allows before what disallows (RFC 9309, section 2.2.2).
func (r *Robots) sort() error {
	wildcards := 0
	for _, rule := range r.Rules {
		wildcards += strings.Count(rule.Pattern, "*")
	}
	switch {
	case len(r.Rules) > maxRules:
		return failed(TooLarge, "more than %d rules", maxRules)
	case wildcards > maxWildcards:
		return failed(TooLarge, "more than %d wildcards", maxWildcards)
	}
	slices.SortStableFunc(r.Rules, func(a, b RobotsRule) int {
		return cmp.Or(cmp.Compare(len(b.Pattern), len(a.Pattern)), compareAllow(a, b))
	})
	return nil
}

func compareAllow(a, b RobotsRule) int {
	switch {
	case a.Allow == b.Allow:
		return 0
	case a.Allow:
		return -1
	}
	return 1
}
