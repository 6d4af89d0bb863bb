package intent

import "regexp"

// instruction is what texts say that try to instruct a model (OWASP LLM01:2025). It is matched
// folded.
var instruction = regexp.MustCompile(`(?:\b(?:ignore|disregard|forget|override)\b[^.]{0,40}\b(?:instructions?|rules|prompts?|guidelines|previous|above)\b)` +
	`|(?:\b(?:zignoruj|zapomnij|pomin)\b[^.]{0,40}\b(?:instrukcj|zasad|polecen|prompt))` +
	`|\b(?:system prompt|prompt systemowy|developer mode|you are now|jestes teraz|language model|model jezykowy|as an ai)\b` +
	`|\b(?:reply|respond|answer) only with\b|\bodpowiedz (?:tylko )?slowem\b` +
	`|(?:^|[.!?]\s+)(?:assistant|system|asystencie)[,:]` +
	`|\b(?:call|use) the tool\b|\b(?:search_knowledge|update_lead|hand_off|end_conversation)\b` +
	`|\[/?inst\]|<\||\|>|<!--|</?(?:system|assistant|message|instructions?)>`)

// InstructsMachine reports whether a text tries to instruct a model. It knows how such texts
// are commonly written, and is no protection of a model, which has to treat all texts as data.
func InstructsMachine(text string) bool { return instruction.MatchString(fold(text)) }
