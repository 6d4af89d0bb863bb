package intent

import (
	"regexp"
	"strings"
	"unicode"
)

// Details are contact details that a visitor has left; empty where unknown.
type Details struct{ Name, Email, Phone string }

var (
	emailPattern = regexp.MustCompile(`[\p{L}0-9._%+-]+@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}`)
	phonePattern = regexp.MustCompile(`\+?[0-9(][0-9 ()./-]{5,20}[0-9]`)
	// namePattern is an introduction by name. One by "I am" needs two names, and one by "call me"
	// a capital letter, since these begin other sentences too.
	namePattern = regexp.MustCompile(`(?i:my name is|the name is|name's|nazywam się|nazywam sie|mam na imię|mam na imie|na imię mi|moje imię to|imię i nazwisko:?|name:)\s+(\p{L}[\p{L}'’-]*(?:\s+\p{Lu}[\p{L}'’-]*){0,2})` +
		`|(?:I am|I'm|I’m|[Tt]his is|[Jj]estem|[Zz] tej strony|[Tt]u)\s+(\p{Lu}[\p{L}'’-]+\s+\p{Lu}[\p{L}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+)?)` +
		`|(?i:call me)\s+(\p{Lu}[\p{L}'’-]*(?:\s+\p{Lu}[\p{L}'’-]*){0,2})`)
)

const (
	leastDigits = 7
	mostDigits  = 15
	mostName    = 80 // bytes
)

// DetailsOf returns the contact details in a text.
func DetailsOf(text string) (d Details) {
	d.Email = emailPattern.FindString(text)
	for _, found := range phonePattern.FindAllString(emailPattern.ReplaceAllString(text, " "), -1) {
		if isPhone(found) {
			d.Phone = strings.TrimSpace(found)
			break
		}
	}
	if found := namePattern.FindStringSubmatch(text); found != nil {
		d.Name = properName(found[1] + found[2] + found[3])
	}
	return d
}

// isPhone reports whether a text has as many digits as a phone number, and is no date or range
// of years.
func isPhone(text string) bool {
	digits := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits < leastDigits || digits > mostDigits {
		return false
	}
	return !datePattern.MatchString(text)
}

var datePattern = regexp.MustCompile(`^\s*(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}|\d{4}\s*-\s*\d{4})\s*$`)

// properName cuts what follows a name, such as "and", and writes it with capitals.
func properName(name string) string {
	var words []string
	for i, word := range strings.Fields(name) {
		if i > 0 && !unicode.IsUpper([]rune(word)[0]) {
			break
		}
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		words = append(words, string(runes))
	}
	return strings.Join(words, " ")
}

// BareName returns a name that is the whole text, as people respond to a question for it; empty
// if it is none.
func BareName(text string) string {
	words := strings.Fields(strings.Trim(strings.TrimSpace(text), ".!,"))
	if len(words) == 0 || len(words) > 3 || len(text) > mostName {
		return ""
	}
	for _, word := range words {
		for _, r := range word {
			if !unicode.IsLetter(r) && !strings.ContainsRune("'’-.", r) {
				return ""
			}
		}
		if said := fold(word); affirming.has(said) || refusing.has(said) || greetings.has(said) || thanks.has(said) || fillers.has(said) {
			return ""
		}
	}
	capital := make([]string, len(words))
	for i, word := range words {
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		capital[i] = string(runes)
	}
	return strings.Join(capital, " ")
}

// IsEmpty reports whether nothing is known.
func (d Details) IsEmpty() bool { return d == Details{} }

// With returns the details with those of another text, which replace earlier ones.
func (d Details) With(later Details) Details {
	if later.Name != "" {
		d.Name = later.Name
	}
	if later.Email != "" {
		d.Email = later.Email
	}
	if later.Phone != "" {
		d.Phone = later.Phone
	}
	return d
}

// Without returns the text without the details.
func (d Details) Without(text string) string {
	if d.Name != "" {
		text = namePattern.ReplaceAllString(text, " ")
	}
	for _, one := range []string{d.Email, d.Phone} {
		if one != "" {
			text = strings.ReplaceAll(text, one, " ")
		}
	}
	return text
}

// Fields returns what is known by the names of a lead's fields.
func (d Details) Fields() map[string]string {
	fields := map[string]string{}
	for name, value := range map[string]string{"name": d.Name, "email": d.Email, "phone": d.Phone} {
		if value != "" {
			fields[name] = value
		}
	}
	return fields
}
