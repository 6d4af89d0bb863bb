//go:build linux

package main

import (
	"slices"
	"strings"

	"github.com/avelto/convo/scripts/ledger/check"
)

// compareMessages compares what contacts and operators have written with what is stored, what
// the provider has accepted, what visitors have seen and what events tell.
func (f *findings) compareMessages(l *ledger, k *kept) {
	replies, unconfirmed := []string{}, map[string]bool{}
	heard := check.Sides{Acknowledged: l.talk.Heard()}
	shown, told := check.Sides{Found: l.talk.Shown()}, check.Sides{}
	for _, m := range k.messages {
		if m.Role == "USER" {
			heard.Found = append(heard.Found, m.Content)
		} else {
			replies = append(replies, m.Content)
		}
		if m.DeliveryStatus == "UNCONFIRMED" {
			unconfirmed[m.Content] = true
		}
		if strings.Contains(m.Content, "visitor-") {
			shown.Acknowledged = append(shown.Acknowledged, m.Content)
		}
	}
	unknown := map[string]bool{}
	for _, text := range l.talk.Unknown() {
		unknown[text] = true
	}
	sent := check.Sides{Found: l.telegram.Accepted(), Unknown: unknown}
	for _, text := range l.talk.ToChats() {
		if unconfirmed[text] {
			sent.Unknown[text] = true
		} else {
			sent.Acknowledged = append(sent.Acknowledged, text)
		}
	}
	told.Acknowledged = append(slices.Clone(heard.Found), replies...)
	for _, event := range k.events {
		if event.Type == "message.created" {
			told.Found = append(told.Found, event.Data.Message.Content)
		}
	}
	f.heard, f.sent, f.shown, f.told = check.Compare(heard), check.Compare(sent), check.Compare(shown), check.Compare(told)
	f.unconfirmed, f.queued = len(unconfirmed), k.queued
	f.unexpected = append(f.unexpected, l.talk.Problems()...)
}
