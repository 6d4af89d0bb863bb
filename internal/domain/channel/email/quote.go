package email

import (
	"regexp"
	"strings"
)

// maxLines bounds what is searched for quotations. Longer texts are cut by the engine.
const maxLines = 5000

var (
	// original is the line above a message that Outlook quotes.
	original = regexp.MustCompile(`(?i)^[\s>*]*[-_]{2,}\s*(original message|original appointment|oryginalna wiadomość|wiadomość oryginalna|pierwotna wiadomość|wiadomość pierwotna)\s*[-_]{2,}\s*$`)
	// forwarded is the line above a message that was passed on, which is not a quotation.
	forwarded = regexp.MustCompile(`(?i)^[\s>*]*([-_]{2,}\s*(forwarded message|przekazana wiadomość|wiadomość przekazana|treść przekazanej wiadomości|przesłana wiadomość|wiadomość przesłana dalej)\b.*|begin forwarded message:|początek przekazywanej wiadomości:?|początek przekazanej wiadomości:?|treść przekazanej wiadomości:?)\s*$`)
	// attribution is the line above a quotation, joined if it is broken: "On … wrote:".
	attribution      = regexp.MustCompile(`(?i)^\s*(on\b.{3,300}\bwrote|.{0,300}\d.{0,300}\b(napisał\(a\)|napisała|napisał|pisze|wrote)|wiadomość napisana przez .{3,300}|(w dniu|dnia)\b.{3,300}(napisał\(a\)|napisała|napisał|pisze|użytkownik .{1,200} napisał))\s*:\s*$`)
	attributionStart = regexp.MustCompile(`(?i)^\s*(on|w dniu|dnia|wiadomość napisana przez|(mon|tue|wed|thu|fri|sat|sun|pon|wt|śr|czw|pt|sob|niedz|nd)[a-zśćę]*\.?,?|\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})\s`)
	// header is a line of the fields that Outlook puts above a quotation.
	fromHeader  = regexp.MustCompile(`(?i)^\s*\*?(from|od|nadawca)\s*:\s*\*?\s*\S`)
	otherHeader = regexp.MustCompile(`(?i)^\s*\*?(sent|date|to|cc|subject|reply-to|importance|wysłano|wysłane|data|do|dw|temat|ważność|adresat)\s*:\s*\*?`)
	underscores = regexp.MustCompile(`^\s*_{10,}\s*$`)
	quoted      = regexp.MustCompile(`^ ?>([ >\t]|$)`)
	signature   = regexp.MustCompile(`^--\s?$`)
	// mobile is what phones put at the end.
	mobile = regexp.MustCompile(`(?i)^\s*(sent from my .{1,60}|sent from (mail|outlook|yahoo|proton).{0,60}|get outlook for .{1,60}|wysłane z (mojego |mojej )?(iphone|ipad|telefon|urządzeni|smartfon|aplikacji|galaxy|programu|outlook|poczty).{0,80}|wysłano z .{1,80}|pobierz (aplikację )?outlook.{0,60}|uzyskaj (aplikację )?outlook.{0,60})\s*$`)
)

// withoutQuotes returns what is new in a text: without the messages that it quotes, and
// without a signature. If nothing would be left, it returns the text as it is.
func withoutQuotes(text string) string {
	text = strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ", "\u202f", " ", "\u200b", "").Replace(text))
	lines := strings.SplitN(text, "\n", maxLines)
	var kept []string
	for i := 0; i < len(lines); i++ {
		if forwarded.MatchString(lines[i]) {
			kept = append(kept, lines[i:]...)
			break
		}
		if length := attributed(lines[i:]); length > 0 {
			rest := lines[i+length:]
			if !quotes(rest) {
				break
			}
			i += length - 1
			continue
		}
		if ends(lines[i:]) {
			break
		}
		if !quoted.MatchString(lines[i]) {
			kept = append(kept, lines[i])
		}
	}
	if stripped := tidy(kept); stripped != "" {
		return stripped
	}
	return text
}

// attributed returns how many lines an attribution at the start of lines has; 0 if there is
// none. Mail clients break long ones.
func attributed(lines []string) int {
	const longest = 4
	if strings.TrimSpace(lines[0]) == "" || quoted.MatchString(lines[0]) {
		return 0
	}
	joined := ""
	for i, one := range lines[:min(len(lines), longest)] {
		if i > 0 && (strings.TrimSpace(one) == "" || !attributionStart.MatchString(lines[0])) {
			return 0
		}
		joined = strings.TrimSpace(joined + " " + strings.TrimSpace(one))
		if attribution.MatchString(joined) {
			return i + 1
		}
	}
	return 0
}

// quotes reports whether the first line with text is quoted by ">". The lines between may
// be the reply to it.
func quotes(lines []string) bool {
	for _, one := range lines {
		if strings.TrimSpace(one) != "" {
			return strings.HasPrefix(strings.TrimLeft(one, " "), ">")
		}
	}
	return false
}

// ends reports whether the rest of the text, from its first line, is quoted or a signature.
func ends(lines []string) bool {
	first := lines[0]
	return original.MatchString(first) || signature.MatchString(first) || headers(lines) ||
		underscores.MatchString(first) && len(lines) > 1 && headers(afterEmpty(lines[1:]))
}

// headers reports whether lines begin with the fields of a quoted message.
func headers(lines []string) bool {
	const within, enough = 6, 2
	if len(lines) == 0 || !fromHeader.MatchString(lines[0]) {
		return false
	}
	found := 0
	for _, one := range lines[1:min(len(lines), within)] {
		if otherHeader.MatchString(one) {
			found++
		}
	}
	return found >= enough
}

func afterEmpty(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	return lines
}

// tidy joins lines, without empty ones and the signatures of phones at the end.
func tidy(lines []string) string {
	for len(lines) > 0 {
		last := lines[len(lines)-1]
		if strings.TrimSpace(last) != "" && !mobile.MatchString(last) {
			break
		}
		lines = lines[:len(lines)-1]
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
