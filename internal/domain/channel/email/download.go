package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/extract"
)

// downloadTimeout bounds the download of one message.
const downloadTimeout = 5 * time.Minute

// listed is a message before it is downloaded.
type listed struct {
	uid     imap.UID
	size    int64
	arrived time.Time
}

// list returns the sizes of messages, in the order of uids. Those that were deleted
// meanwhile are omitted.
func (l *listening) list(uids []imap.UID) ([]listed, error) {
	var found []*imapclient.FetchMessageBuffer
	err := l.within(commandTimeout, func() (err error) {
		found, err = l.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true}).Collect()
		return err
	})
	if err != nil {
		return nil, err
	}
	byUID := make(map[imap.UID]listed, len(found))
	for _, one := range found {
		byUID[one.UID] = listed{uid: one.UID, size: one.RFC822Size, arrived: one.InternalDate.UTC()}
	}
	messages := make([]listed, 0, len(uids))
	for _, uid := range uids {
		if one, ok := byUID[uid]; ok {
			messages = append(messages, one)
		}
	}
	return messages, nil
}

// open downloads and reads a message. Of one that is too large, or cannot be read, there is
// the header, with a note.
func (l *listening) open(ctx context.Context, one listed) ([]provider.Item, error) {
	note := fmt.Sprintf("[This message is too large to be received: %d MiB.]", one.size>>20)
	if one.size <= extract.MaxMessage {
		content, err := l.download(one.uid, imap.PartSpecifierNone)
		if err != nil || content == nil {
			return nil, err
		}
		found, err := l.read(ctx, l.channel.WorkspaceID, bytes.NewReader(content))
		if err == nil {
			return items(l.settings, found), nil
		}
		if _, ok := errors.AsType[*extract.Error](err); !ok {
			return nil, &deliverError{err}
		}
		note = "[This message cannot be read.]"
	}
	content, err := l.download(one.uid, imap.PartSpecifierHeader)
	if err != nil || content == nil {
		return nil, err
	}
	found, err := l.read(ctx, l.channel.WorkspaceID, bytes.NewReader(content))
	if _, ok := errors.AsType[*extract.Error](err); ok {
		l.Log.WarnContext(ctx, "email cannot be read", "channelId", l.channel.ID, "uid", one.uid)
		return nil, nil
	} else if err != nil {
		return nil, &deliverError{err}
	}
	found.Text = note
	return items(l.settings, found), nil
}

// download returns a message or its header; nil if it was deleted meanwhile. It does not
// trust the size that the server has told.
func (l *listening) download(uid imap.UID, part imap.PartSpecifier) (content []byte, err error) {
	section := &imap.FetchItemBodySection{Specifier: part, Peek: true}
	err = l.within(downloadTimeout, func() error {
		command := l.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
		for message := command.Next(); message != nil; message = command.Next() {
			for item := message.Next(); item != nil; item = message.Next() {
				body, ok := item.(imapclient.FetchItemDataBodySection)
				if !ok || body.Literal == nil || content != nil {
					continue
				}
				if body.Literal.Size() > extract.MaxMessage {
					return errors.New("email: the message is larger than the server has told")
				}
				if content, err = io.ReadAll(body.Literal); err != nil {
					return err
				}
			}
		}
		return command.Close()
	})
	return content, err
}
