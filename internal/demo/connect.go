package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Connect connects the channels of the demo to simulators: those that are as Load has stored
// them, and those that were connected to simulators before, which were at another port then.
// Channels whose settings someone has changed to lead elsewhere stay as they are. The other
// channels are connected even if it fails for some.
func Connect(ctx context.Context, on *postgres.DB, channels *channel.Service, to *simulator.Set) error {
	space, err := (&workspace.Service{DB: on}).BySlug(ctx, Slug)
	if errors.Is(err, workspace.ErrUnknown) {
		return nil
	} else if err != nil {
		return err
	}
	rows, err := db.New().ChannelList(ctx, on, db.ChannelListParams{WorkspaceID: space.ID, BeforeID: id.Max, RowLimit: channel.MaxChannels})
	if err != nil {
		return fmt.Errorf("list channels: %w", err)
	}
	var failed []error
	for _, row := range rows {
		if control, ok := to.Control(row.Type); ok {
			if err := connect(ctx, on, channels, row, control); err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", row.Name, err))
			}
		}
	}
	return errors.Join(failed...)
}

func connect(ctx context.Context, on *postgres.DB, channels *channel.Service, row db.Channel, to *simulator.Control) error {
	change, ok, err := simulated(row, to)
	if err != nil || !ok {
		return err
	}
	if row.APIBaseURL != nil {
		if err := keepCredentials(channels, row, &change); err != nil {
			return err
		}
	}
	changed, err := channels.Update(ctx, on, row.WorkspaceID, row.ID, change)
	if err != nil {
		return err
	}
	to.SetHook(changed.HookURL)
	checked, err := channels.Check(ctx, row.WorkspaceID, row.ID)
	if err != nil {
		return err
	}
	_, err = channels.RecordCheck(ctx, on, checked)
	return err
}

// simulated returns how to change a channel so that it uses a simulator, and false if it must
// stay as it is.
func simulated(row db.Channel, control *simulator.Control) (change channel.Change, ok bool, err error) {
	change.APIBaseURL = func() *string { return &control.URL }
	settings := control.Settings()
	var config map[string]json.RawMessage
	if err := json.Unmarshal(settings.Config, &config); err != nil {
		return change, false, fmt.Errorf("settings of the simulator: %w", err)
	}
	switch {
	case row.APIBaseURL != nil:
		if isLocalMail(row.Config) { // the base URL of email only says that it is simulated
			change.Config = map[string]json.RawMessage{smtpSetting: config[smtpSetting]}
		}
		return change, simulator.IsSimulated(row.Type, *row.APIBaseURL), nil
	case row.Credentials != nil || !row.UpdatedAt.Equal(row.CreatedAt):
		return change, false, nil
	}
	change.Config, change.Credentials = config, map[string]*string{}
	for name, value := range settings.Credentials {
		change.Credentials[name] = &value
	}
	return change, true, nil
}

// keepCredentials sets the credentials of a channel again, as each change of an address needs.
func keepCredentials(channels *channel.Service, row db.Channel, change *channel.Change) error {
	opened, err := channels.Opener.Open(row)
	if err != nil {
		return err
	}
	change.Credentials = map[string]*string{}
	for name, value := range opened.Channel.Credentials {
		change.Credentials[name] = &value
	}
	return nil
}

// smtpSetting is the setting of a channel that says where its mail server is.
const smtpSetting = "smtp"

// isLocalMail reports whether a channel sends through a mail server on this machine, as a
// simulated one does.
func isLocalMail(config json.RawMessage) bool {
	var parsed struct {
		SMTP struct {
			Host     string `json:"host"`
			Security string `json:"security"`
		} `json:"smtp"`
	}
	return json.Unmarshal(config, &parsed) == nil && parsed.SMTP.Host == "127.0.0.1" && parsed.SMTP.Security == "none"
}
