package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/simulator"
)

type simulateCommand struct {
	Type string `arg:"" help:"Channel type, such as telegram or whatsapp."`
	Addr string `default:"127.0.0.1:9090" help:"Address to listen on. The simulator asks no one for a password."`
	Hook string `help:"URL of the channel's hook. Telegram and Viber register it themselves." placeholder:"URL"`
}

const (
	simulatorHeaderTimeout = 10 * time.Second
	simulatorStopTimeout   = 3 * time.Second
)

// Run implements the command.
func (c *simulateCommand) Run(ctx context.Context) error {
	found, err := simulator.New(ctx, api.ChannelType(strings.ToUpper(c.Type)))
	if errors.Is(err, simulator.ErrNone) {
		return fmt.Errorf("there is no simulator of %q; there are %s", c.Type, strings.Join(simulator.Types(), ", "))
	} else if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	control := simulator.NewControl(found, "http://"+listener.Addr().String(), &http.Client{})
	control.SetHook(c.Hook)
	fmt.Printf("Simulating %s at %s. Create a channel with these settings and an agentId:\n\n%s\n\n", found.Type(), control.URL, control.Example())
	fmt.Printf("Write as a contact:   curl -d '{\"text\": \"Hello\"}' %s%s/events\n", control.URL, simulator.ControlPath)
	fmt.Printf("Let a call fail:      curl -d '[\"limited\"]' %s%s/faults\n", control.URL, simulator.ControlPath)
	fmt.Printf("See what was sent:    curl %s%s\n", control.URL, simulator.ControlPath)
	server := &http.Server{Handler: control, ReadHeaderTimeout: simulatorHeaderTimeout}
	stopped := context.AfterFunc(ctx, func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), simulatorStopTimeout)
		defer cancel()
		_ = server.Shutdown(stopping)
	})
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
