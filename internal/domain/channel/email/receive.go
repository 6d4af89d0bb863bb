package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/extract"
)

// readTimeout bounds the reading of one message, with the wait for other readers. The reader
// process itself has less time: one that takes longer blames the message.
const readTimeout = 40 * time.Second

// Receive implements provider.Provider: the hooks of Mailgun and Postmark.
func (p *Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	settings, err := configOf(c)
	if err != nil {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	switch settings.Inbound {
	case byMailgun:
		return p.receiveMailgun(c, settings, r)
	case byPostmark:
		return p.receivePostmark(c, settings, r)
	case byIMAP: // has no hook
	}
	return provider.Received{}, provider.ErrUnauthenticated
}

// read parses a message in the reader process. It fails with *extract.Error if the message
// is to blame.
func (p *Provider) read(ctx context.Context, workspaceID uuid.UUID, content io.Reader) (extract.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	leave, err := p.readers.Enter(ctx, workspaceID)
	if err != nil {
		return extract.Message{}, fmt.Errorf("email: read message: %w", err)
	}
	defer leave()
	found, err := p.Reader.ReadMessage(ctx, content)
	if err != nil {
		return extract.Message{}, fmt.Errorf("email: read message: %w", err)
	}
	return found, nil
}

// textOfHTML returns the text of HTML, "" if it cannot be read.
func (p *Provider) textOfHTML(ctx context.Context, workspaceID uuid.UUID, html string) (string, error) {
	if html == "" {
		return "", nil
	}
	found, err := p.read(ctx, workspaceID, io.MultiReader(
		bytes.NewBufferString("MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\n\r\n"),
		bytes.NewBufferString(html)))
	if _, ok := errors.AsType[*extract.Error](err); ok {
		return "", nil
	}
	return found.Text, err
}

// machineHeader returns the fields of extract.MachineHeaders.
func machineHeader(get func(name string) string) map[string]string {
	found := map[string]string{}
	for _, name := range extract.MachineHeaders {
		if value := line(get(name)); value != "" {
			found[name] = value
		}
	}
	return found
}

// first returns the first of some IDs of messages, "" if there is none.
func first(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}
