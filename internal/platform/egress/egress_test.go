package egress_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/egress"
)

// TestReservedAddressesAreNotDialed uses the dialer, which refuses an address before it
// sends the first packet.
func TestReservedAddressesAreNotDialed(t *testing.T) {
	t.Parallel()
	dialer := egress.NewGuard(nil).Dialer()
	for _, address := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "198.18.0.1",
		"192.0.0.1", "192.0.2.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]",
		"[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:db8::1]", "[2001::1]", "[100::1]",
	} {
		for _, port := range []string{"80", "443", "8443"} {
			conn, err := dialer.DialContext(t.Context(), "tcp", address+":"+port)
			if err == nil {
				_ = conn.Close()
			}
			require.Error(t, err, address)
			require.True(t, egress.Refused(err), "%s: %v", address, err)
		}
	}
}

func TestAllowedNetworksAreDialed(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := egress.NewGuard(egress.Loopback()).Dialer().DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	// A name is checked by the address that it resolves to.
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	_, err = egress.NewGuard(nil).Dialer().DialContext(t.Context(), "tcp", "localhost:"+port)
	require.True(t, egress.Refused(err), "%v", err)
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	public, local := egress.NewGuard(nil), egress.NewGuard(egress.Loopback())
	for _, url := range []string{"https://hooks.example.com/x?y=z", "https://hooks.example.com:8443", "https://8.8.8.8/", "https://[2606:4700::1111]/"} {
		require.Empty(t, public.CheckURL(url), url)
	}
	for _, url := range []string{"http://localhost:3000/hook", "http://127.0.0.1:1", "http://[::1]:3000/", "https://localhost"} {
		require.Empty(t, local.CheckURL(url), url)
		require.NotEmpty(t, public.CheckURL(url), url)
	}
	for _, url := range []string{"http://example.com", "https:///x", "/x", "https://x.example:99999", "https://a:b@x.example", "http://10.0.0.1", "https://x.example#y", "://"} {
		require.NotEmpty(t, local.CheckURL(url), url)
	}
}

func TestParsePrefixes(t *testing.T) {
	t.Parallel()
	prefixes, err := egress.ParsePrefixes([]string{"10.1.2.3/8", "fd00::/8"})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/8", prefixes[0].String())
	_, err = egress.ParsePrefixes([]string{"10.0.0.1"})
	require.ErrorContains(t, err, "network 1 of 1")
}
