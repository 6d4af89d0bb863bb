//go:build linux

package system

import (
	"context"
	"fmt"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Link is the way from one part to another, through toxiproxy.
type Link struct {
	name  string
	proxy *toxiproxy.Proxy
}

var toxiproxyServer = toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())

func newLink(name, to string) (*Link, error) {
	from, err := freeAddress()
	if err != nil {
		return nil, err
	}
	l := &Link{name: name, proxy: toxiproxy.NewProxy(toxiproxyServer, name, from, to)}
	return l, l.Restore()
}

// Address is where the link begins.
func (l *Link) Address() string { return l.proxy.Listen }

// Cut closes all connections and refuses new ones until Restore.
func (l *Link) Cut() { l.proxy.Stop() }

// Restore makes a link that was cut accept connections.
func (l *Link) Restore() error {
	if err := l.proxy.Start(); err != nil {
		return fmt.Errorf("link %s: %w", l.name, err)
	}
	return nil
}

// redirect changes where a link that was cut leads to.
func (l *Link) redirect(to string) { l.proxy.Upstream = to }

// Freeze makes the connections that are open swallow all bytes, and new ones not: as when
// a firewall has forgotten them.
func (l *Link) Freeze() error {
	for _, direction := range []string{"upstream", "downstream"} {
		added, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":%q,"stream":%q,"name":%q}`, forgetType, direction, direction)))
		if err != nil {
			return fmt.Errorf("freeze %s: %w", l.name, err)
		}
		toxic, ok := added.Toxic.(*forget)
		if !ok {
			return fmt.Errorf("freeze %s: unexpected toxic", l.name)
		}
		toxic.added.Store(true)
	}
	return nil
}

// Thaw closes the connections that were frozen.
func (l *Link) Thaw() { l.proxy.Toxics.ResetToxics(context.Background()) }
