package dialogue

import (
	"strings"

	"github.com/avelto/convo/internal/platform/language"
)

// Phrase is a sentence that the server says itself, in each language.
type Phrase struct{ english, polish string }

// What the server and the builtin model say.
var (
	Hello = Phrase{
		"Hello! I am an AI assistant. How can I help you?",
		"Dzień dobry! Jestem asystentem AI. W czym mogę pomóc?",
	}
	// Notice tells a visitor that an AI replies, on channels that do not show it themselves.
	Notice = Phrase{
		"You are talking to an AI assistant. A person can take over.",
		"Rozmawiasz z asystentem AI. Rozmowę może przejąć człowiek.",
	}
	// Refusal also offers an operator.
	Refusal = Phrase{
		"I did not find that in our information. Would you like to talk to a person?",
		"Nie znalazłem odpowiedzi na to pytanie w naszych informacjach. Czy chcesz porozmawiać z człowiekiem?",
	}
	HandingOff = Phrase{
		"I am handing you over to a colleague, who will reply here.",
		"Przekazuję rozmowę naszemu pracownikowi, który odpowie w tym miejscu.",
	}
	// HandingOffLate is for visitors who have waited too long.
	HandingOffLate = Phrase{
		"Sorry, I cannot answer right now. I am handing you over to a colleague, who will reply here.",
		"Przepraszam, nie mogę teraz odpowiedzieć. Przekazuję rozmowę naszemu pracownikowi, który odpowie w tym miejscu.",
	}
	HandingOffUnknown = Phrase{
		"I did not find that either. I am handing you over to a colleague, who will reply here.",
		"Na to pytanie również nie znalazłem odpowiedzi. Przekazuję rozmowę naszemu pracownikowi, który odpowie w tym miejscu.",
	}
	Welcome    = Phrase{"You are welcome! Is there anything else I can help with?", "Proszę bardzo! Czy mogę pomóc w czymś jeszcze?"}
	Goodbye    = Phrase{"Goodbye, and thank you for your visit!", "Do widzenia i dziękuję za rozmowę!"}
	HowElse    = Phrase{"How else can I help you?", "W czym jeszcze mogę pomóc?"}
	Interested = Phrase{"I will be glad to help with that.", "Chętnie w tym pomogę."}
	Noted      = Phrase{"Thank you.", "Dziękuję."}
	Done       = Phrase{
		"A colleague will get in touch with you. Is there anything else I can help with?",
		"Nasz pracownik skontaktuje się z Tobą. Czy mogę pomóc w czymś jeszcze?",
	}
	AskName  = Phrase{"What is your name?", "Jak się nazywasz?"}
	AskEmail = Phrase{"What is your email address?", "Jaki jest Twój adres mailowy?"} //nolint:misspell // Polish
	AskPhone = Phrase{"At which phone number can we reach you?", "Pod jakim numerem telefonu możemy się z Tobą skontaktować?"}
)

// In returns the phrase in a language.
func (p Phrase) In(l language.Language) string {
	if l == language.Polish {
		return p.polish
	}
	return p.english
}

// IsIn reports whether a text has the phrase, in any language.
func (p Phrase) IsIn(text string) bool {
	return strings.Contains(text, p.english) || strings.Contains(text, p.polish)
}
