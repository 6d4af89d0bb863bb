package extract

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"slices"
	"strings"

	"github.com/jhillyerd/enmime/v2"
)

// maxReported bounds the recipients of a report that are kept.
const maxReported = 20

// DeliveryReport is what a report says (RFC 3464). It has no recipients if it is a report
// about something else than delivery.
type DeliveryReport struct {
	// MessageID is that of the message that was sent, empty if the report does not have it.
	MessageID  string              `json:"messageId,omitempty"`
	Recipients []ReportedRecipient `json:"recipients,omitempty"`
}

// ReportedRecipient is what happened to the message on the way to one recipient.
type ReportedRecipient struct {
	Address    string `json:"address,omitempty"`
	Action     string `json:"action"`           // failed, delayed, delivered, relayed or expanded
	Status     string `json:"status,omitempty"` // such as 5.1.1
	Diagnostic string `json:"diagnostic,omitempty"`
}

var (
	statusTypes   = []string{"message/delivery-status", "message/global-delivery-status"}
	originalTypes = []string{"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)

func reportOf(root *enmime.Part) *DeliveryReport {
	report := &DeliveryReport{}
	status := root.DepthMatchFirst(func(p *enmime.Part) bool { return slices.Contains(statusTypes, strings.ToLower(p.ContentType)) })
	if status == nil {
		return report
	}
	for _, block := range blocksOf(status.Content) {
		if action := value(block, "Action"); action != "" && len(report.Recipients) < maxReported {
			report.Recipients = append(report.Recipients, ReportedRecipient{
				Address: typed(value(block, "Final-Recipient")), Action: strings.ToLower(action),
				Status: value(block, "Status"), Diagnostic: typed(value(block, "Diagnostic-Code")),
			})
		}
	}
	original := root.DepthMatchFirst(func(p *enmime.Part) bool { return slices.Contains(originalTypes, strings.ToLower(p.ContentType)) })
	if original != nil {
		if blocks := blocksOf(original.Content); len(blocks) > 0 {
			if ids := MessageIDs(value(blocks[0], "Message-Id")); len(ids) > 0 {
				report.MessageID = ids[0]
			}
		}
	}
	return report
}

// blocksOf parses header fields that empty lines divide into blocks. It ends where the
// content is something else.
func blocksOf(content []byte) (blocks []textproto.MIMEHeader) {
	reader := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(content), strings.NewReader("\r\n\r\n"))))
	for len(blocks) <= maxReported {
		block, err := reader.ReadMIMEHeader()
		if len(block) > 0 {
			blocks = append(blocks, block)
		}
		if err != nil || errors.Is(err, io.EOF) {
			break
		}
	}
	return blocks
}

func value(block textproto.MIMEHeader, name string) string {
	return cutBytes(plain(block.Get(name)), maxHeaderValue)
}

// typed returns the value of a field such as "rfc822; someone@example.com".
func typed(value string) string {
	if _, after, ok := strings.Cut(value, ";"); ok {
		return strings.TrimSpace(after)
	}
	return value
}
