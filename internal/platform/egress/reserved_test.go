package egress_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/avelto/convo/internal/platform/egress"
)

// refuses requires that a guard refuses an address, both in a URL and when it is dialed.
// Nothing is sent: the dialer's Control runs before it connects.
func refuses(t *testing.T, guard *egress.Guard, address netip.Addr, what string) {
	t.Helper()
	host := address.String()
	if address.Is6() {
		host = "[" + host + "]"
	}
	require.NotEmpty(t, guard.CheckURL("https://"+host+"/"), "%s: %s", what, address)
	require.NotEmpty(t, guard.CheckPage("https://"+host+"/"), "%s: %s", what, address)
	control := guard.Dialer().Control
	network := "tcp6"
	if address.Is4() {
		network = "tcp4"
	}
	err := control(network, net.JoinHostPort(address.String(), "443"), nil)
	require.True(t, egress.Refused(err), "%s: %s: %v", what, address, err)
}

// last returns the last address of a network.
func last(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address
}

// TestFirstAndLastAddressOfReservedNetworks is the IANA special-purpose registries (RFC
// 6890), with multicast.
func TestFirstAndLastAddressOfReservedNetworks(t *testing.T) {
	t.Parallel()
	guard := egress.NewGuard(nil)
	for what, networks := range map[string][]string{
		"this network":       {"0.0.0.0/8", "::/128"},
		"private":            {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
		"carrier-grade NAT":  {"100.64.0.0/10"},
		"loopback":           {"127.0.0.0/8", "::1/128"},
		"link-local":         {"169.254.0.0/16", "fe80::/10"},
		"IETF protocols":     {"192.0.0.0/24", "2001::/23"},
		"documentation":      {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"},
		"benchmarking":       {"198.18.0.0/15", "2001:2::/48"},
		"multicast":          {"224.0.0.0/4", "ff00::/8"},
		"reserved":           {"240.0.0.0/4"},
		"broadcast":          {"255.255.255.255/32"},
		"IPv4-mapped":        {"::ffff:10.0.0.0/104", "::ffff:127.0.0.0/104"},
		"IPv4-compatible":    {"::/96"},
		"NAT64":              {"64:ff9b::/96", "64:ff9b:1::/48"},
		"6to4":               {"2002::/16"},
		"Teredo":             {"2001::/32"},
		"discard":            {"100::/64"},
		"site-local":         {"fec0::/10"},
		"outside of 2000::3": {"4000::/3", "8000::/1"},
	} {
		for _, network := range networks {
			prefix := netip.MustParsePrefix(network)
			refuses(t, guard, prefix.Addr(), what)
			refuses(t, guard, last(prefix), what)
		}
	}
}

func TestMetadataServicesAreRefused(t *testing.T) {
	t.Parallel()
	guard := egress.NewGuard(nil)
	for what, address := range map[string]string{
		"AWS, GCP, Azure": "169.254.169.254", "AWS ECS": "169.254.170.2", "AWS IPv6": "fd00:ec2::254", "Alibaba": "100.100.100.200",
		"Oracle": "192.0.0.192", "IPv4-mapped": "::ffff:169.254.169.254", "NAT64": "64:ff9b::a9fe:a9fe", "6to4": "2002:a9fe:a9fe::1",
	} {
		refuses(t, guard, netip.MustParseAddr(address), what)
	}
	refuses(t, guard, netip.MustParseAddr("fe80::1").WithZone("eth0"), "with a zone")
}

// TestNeighborsOfReservedNetworksAreAllowed keeps the guard from refusing more than it
// should.
func TestNeighborsOfReservedNetworksAreAllowed(t *testing.T) {
	t.Parallel()
	control := egress.NewGuard(nil).Dialer().Control
	for _, address := range []string{
		"9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
	} {
		require.NoError(t, control("tcp4", address+":443", nil), address)
	}
	for _, address := range []string{"2606:4700::1111", "2a00:1450::1"} {
		require.NoError(t, control("tcp6", "["+address+"]:8443", nil), address)
	}
}

func TestOnlyTCPIsDialed(t *testing.T) {
	t.Parallel()
	control := egress.NewGuard(egress.Loopback()).Dialer().Control
	for _, network := range []string{"udp4", "unix", "ip4"} {
		require.Error(t, control(network, "127.0.0.1:53", nil), network)
	}
}

func TestAllowedNetworksOpenNothingElse(t *testing.T) {
	t.Parallel()
	prefixes, err := egress.ParsePrefixes([]string{"10.1.0.0/16", "fd12::/16"})
	require.NoError(t, err)
	guard := egress.NewGuard(prefixes)
	control := guard.Dialer().Control
	require.NoError(t, control("tcp4", "10.1.2.3:80", nil))
	require.NoError(t, control("tcp6", "[fd12::1]:80", nil))
	require.Empty(t, guard.CheckURL("https://10.1.2.3/"))
	for _, address := range []string{"10.0.255.255", "10.2.0.0", "127.0.0.1", "fd13::", "fd11:ffff::", "::1"} {
		refuses(t, guard, netip.MustParseAddr(address), "next to an allowed network")
	}
	require.NotEmpty(t, guard.CheckURL("http://10.1.2.3/"), "plain http is for loopback only")
	require.NotEmpty(t, guard.CheckURL("http://localhost/"))
}

func TestParsePrefixesRejectsInvalidCIDR(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/129", "localhost/8", "fe80::%eth0/64", " 10.0.0.0/8"} {
		_, err := egress.ParsePrefixes([]string{"10.0.0.0/8", text})
		require.ErrorContains(t, err, "network 2 of 2", text)
	}
	none, err := egress.ParsePrefixes(nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestCheckURLNamesTheProblem(t *testing.T) {
	t.Parallel()
	guard := egress.NewGuard(nil)
	for url, problem := range map[string]string{
		"":                               "must be an absolute URL",
		"https://":                       "must be an absolute URL",
		"https://:443/":                  "must be an absolute URL",
		"https://exa mple.com":           "must be an absolute URL",
		"https://user@example.com":       "must not hold a user or password",
		"https://example.com/#":          "",
		"https://example.com/#a":         "must not have a fragment",
		"https://example.com:0":          "has no such port",
		"https://example.com:65536":      "has no such port",
		"https://example.com:65535":      "",
		"ftp://example.com":              "must be https",
		"http://example.com":             "must be https",
		"javascript://example.com/x":     "must be https",
		"https://[::ffff:10.0.0.1]/":     "must not be a private or reserved address",
		"https://[fe80::1%25eth0]/":      "must not be a private or reserved address",
		"https://localhost:8443/":        "must not be a private or reserved address",
		"https://xn--bcher-kva.example/": "",
	} {
		require.Equal(t, problem, guard.CheckURL(url), url)
	}
	require.Empty(t, guard.CheckPage("http://example.com/"), "pages are read over plain http, too")
	require.NotEmpty(t, guard.CheckPage("http://10.0.0.1/"))
}

// nameServer is a DNS server that returns the next of its addresses for each question.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // ends the loop below
	go func() {
		buffer := make([]byte, 512)
		for asked := 0; ; asked++ {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if response := resolve(buffer[:n], addresses[min(asked, len(addresses)-1)]); response != nil {
				_, _ = conn.WriteTo(response, from) // the test fails if it is lost
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// resolve returns a response with one A record; nil for a malformed question.
func resolve(question []byte, address string) []byte {
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil || len(message.Questions) != 1 {
		return nil
	}
	message.Response, message.Additionals = true, nil
	message.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: message.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
		Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
	}}
	packed, err := message.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// TestDNSRebindingIsRefused resolves a name to a public address first, as a check before
// the request would see it, and to a private one when it is dialed.
func TestDNSRebindingIsRefused(t *testing.T) {
	t.Parallel()
	for _, private := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254"} {
		resolver := nameServer(t, "93.184.215.14", private)
		before, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example.")
		require.NoError(t, err)
		require.Equal(t, "93.184.215.14", before[0].Unmap().String())
		dialer := egress.NewGuard(nil).Dialer()
		dialer.Resolver = resolver
		_, err = dialer.DialContext(t.Context(), "tcp4", "rebind.example.:443")
		require.True(t, egress.Refused(err), "%s: %v", private, err)
	}
}
