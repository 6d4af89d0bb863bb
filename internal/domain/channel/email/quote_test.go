package email

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuotesAreRemoved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"Gmail, English":       {"Thanks!\n\nOn Mon, Feb 5, 2024 at 10:12 AM Jan Kowalski <jan@shop.example> wrote:\n\n> Your shoes are here.\n> Jan\n", "Thanks!"},
		"Gmail, broken line":   {"Thanks!\n\nOn Mon, Feb 5, 2024 at 10:12 AM Jan Kowalski <\nreply+token@in.shop.example> wrote:\n\n> Your shoes are here.\n", "Thanks!"},
		"Gmail, Polish":        {"Dziękuję!\n\npon., 5 lut 2024 o 10:12 Jan Kowalski <jan@shop.example> napisał(a):\n\n> Buty są.\n", "Dziękuję!"},
		"Gmail, Polish broken": {"Dziękuję!\n\npon., 5 lut 2024 o 10:12 Jan Kowalski <jan@shop.example>\nnapisał(a):\n\n> Buty są.\n", "Dziękuję!"},
		"Gmail, text of HTML":  {"Dziękuję!\n\nśr., 7 lut 2024 o 10:12 Jan <jan@shop.example> napisał(a):\n\nButy są.\nZapraszamy", "Dziękuję!"},
		"Outlook, English":     {"Thanks!\n\n-----Original Message-----\nFrom: Jan <jan@shop.example>\nSent: Monday, February 5, 2024 10:12 AM\nTo: Anna\nSubject: Shoes\n\nYour shoes are here.", "Thanks!"},
		"Outlook, Polish":      {"Dziękuję!\r\n\r\n-----Wiadomość oryginalna-----\r\nOd: Jan <jan@shop.example>\r\nWysłano: poniedziałek, 5 lutego 2024 10:12\r\nDo: Anna\r\nTemat: Zamówienie\r\n\r\nButy są.", "Dziękuję!"},
		"Outlook 365, English": {"Thanks!\n\n________________________________\nFrom: Jan <jan@shop.example>\nSent: Monday, February 5, 2024 10:12 AM\nTo: Anna <anna@example.com>\nSubject: Re: Shoes\n\nYour shoes are here.", "Thanks!"},
		"Outlook 365, Polish":  {"Dziękuję!\n\nOd: Jan <jan@shop.example>\nWysłane: poniedziałek, 5 lutego 2024 10:12\nDo: Anna <anna@example.com>\nTemat: Re: Zamówienie\n\nButy są.", "Dziękuję!"},
		"Outlook, bold":        {"Thanks!\n\n*From:* Jan <jan@shop.example>\n*Sent:* Monday\n*To:* Anna\n*Subject:* Shoes\n\nYour shoes are here.", "Thanks!"},
		"Apple Mail, English":  {"Thanks!\n\n> On 5 Feb 2024, at 10:12, Jan <jan@shop.example> wrote:\n> \n> Your shoes are here.\n", "Thanks!"},
		"Apple Mail, plain":    {"Thanks!\n\nOn Feb 5, 2024, at 10:12 AM, Jan <jan@shop.example> wrote:\n\nYour shoes are here.\n", "Thanks!"},
		"Apple Mail, Polish":   {"Dziękuję!\n\nWiadomość napisana przez Jan Kowalski <jan@shop.example> w dniu 5 lut 2024, o godz. 10:12:\n\n> Buty są.\n", "Dziękuję!"},
		"Thunderbird, English": {"Thanks!\n\nOn 2/5/24 10:12, Jan wrote:\n> Your shoes are here.\n", "Thanks!"},
		"Thunderbird, Polish":  {"Dziękuję!\n\nW dniu 5.02.2024 o 10:12, Jan Kowalski pisze:\n> Buty są.\n", "Dziękuję!"},
		"W dniu … napisał(a)":  {"Dziękuję!\n\nW dniu 5 lutego 2024 10:12 użytkownik Jan <jan@shop.example> napisał:\n\n> Buty są.\n", "Dziękuję!"},
		"Dnia … napisał":       {"Dziękuję!\n\nDnia 5 lutego 2024 10:12 Jan <jan@shop.example> napisał(a):\n\n> Buty są.\n", "Dziękuję!"},
		"ISO date":             {"Dziękuję!\n\n2024-02-05 10:12, Jan napisał(a):\n> Buty są.", "Dziękuję!"},
		"below the quotation":  {"On 2/5/24 10:12, Jan wrote:\n> Are they here?\n\nYes, they are.", "Yes, they are."},
		"between quotations":   {"W dniu 5.02.2024 o 10:12, Jan pisze:\n> Rozmiar?\n42\n> Kolor?\nCzarny\n", "42\nCzarny"},
		"signature":            {"Thanks!\n-- \nAnna Nowak\nAcme", "Thanks!"},
		"signature, no space":  {"Thanks!\n\n--\nAnna Nowak", "Thanks!"},
		"phone, English":       {"Thanks!\n\nSent from my iPhone", "Thanks!"},
		"phone, Polish":        {"Dziękuję!\n\nWysłane z iPhone'a\n\nW dniu 5.02.2024 o 10:12, Jan pisze:\n> Buty są.", "Dziękuję!"},
		"Outlook for phones":   {"Thanks!\n\nGet Outlook for Android\n________________________________\nFrom: Jan\nSent: Monday\nTo: Anna\n\nYour shoes", "Thanks!"},
		"forwarded, English":   {"See below\n\n---------- Forwarded message ---------\nFrom: Eve <eve@example.com>\nDate: Mon\nSubject: x\nTo: Anna\n\nHello", "See below\n\n---------- Forwarded message ---------\nFrom: Eve <eve@example.com>\nDate: Mon\nSubject: x\nTo: Anna\n\nHello"},
		"forwarded, Polish":    {"Zobacz\n\n---------- Wiadomość przekazana ---------\nOd: Ewa\nData: pon.\nDo: Anna\n\nDzień dobry\n-- \nEwa", "Zobacz\n\n---------- Wiadomość przekazana ---------\nOd: Ewa\nData: pon.\nDo: Anna\n\nDzień dobry\n-- \nEwa"},
		"only a quotation":     {"> Are they here?", "> Are they here?"},
		"only what was quoted": {"On 2/5/24 10:12, Jan wrote:\n> Are they here?", "On 2/5/24 10:12, Jan wrote:\n> Are they here?"},
		"only a signature":     {"-- \nAnna", "-- \nAnna"},
		"nothing":              {" \r\n ", ""},
		"no quotation":         {"On Monday I wrote to you.\n\nFrom: here\n\n>50% off? I paid on 5 May: why?\nDo: it", "On Monday I wrote to you.\n\nFrom: here\n\n>50% off? I paid on 5 May: why?\nDo: it"},
		"a colon at the end":   {"On 5 May I paid for these:\nshoes", "On 5 May I paid for these:\nshoes"},
	} {
		require.Equal(t, c.want, withoutQuotes(c.text), name)
	}
}

func FuzzWithoutQuotes(f *testing.F) {
	f.Add("Thanks!\n\nOn 2/5/24 10:12, Jan wrote:\n> Your shoes are here.\n")
	f.Add("-- \nx")
	f.Fuzz(func(t *testing.T, text string) {
		if got := withoutQuotes(text); strings.TrimSpace(strings.ReplaceAll(text, "\u200b", "")) != "" && got == "" {
			t.Fatal("nothing is left of a text")
		}
	})
}
