//go:build linux && (amd64 || arm64)

package hostile

import (
	"testing"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest"
)

func TestNetwork(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	attackAll(t, newLab(t, engine.Config{}), networkAttacks)
}

var networkAttacks = []attack{
	{id: "W01", script: `
			for h in 127.0.0.1 127.1 0 localhost 2130706433 0x7f000001 ::ffff:127.0.0.1 "$(hostname)"; do
				timeout 2 $ATTACK connect tcp "[$h]:$PORT4" tcp "$h:$PORT4"
			done
			$ATTACK connect tcp "[::1]:$PORT6" unix "@$ABSTRACT"
			bash -c "cat </dev/tcp/127.0.0.1/$PORT4"
			echo TRIED`},
	{id: "W03", script: `
			$ATTACK connect unix "$SOCK" unix "/proc/1/root$SOCK"
			for s in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/systemd/private /run/dbus/system_bus_socket \
				/run/user/*/bus /tmp/.X11-unix/* /tmp/ssh-*/agent.* /run/nscd/socket /var/run/nscd/socket; do
				test -e "$s" && echo "WIN $s"
			done
			test -z "$SSH_AUTH_SOCK$DBUS_SESSION_BUS_ADDRESS$DISPLAY" || echo WIN environment
			echo TRIED`},
	{id: "W04", script: `
			for h in 169.254.169.254 2852039166 0xA9FEA9FE 0251.0376.0251.0376 ::ffff:a9fe:a9fe fd00:ec2::254 100.100.100.200; do
				$ATTACK connect tcp "[$h]:80" tcp "$h:80"
			done
			echo TRIED`},
	{id: "W05", script: `
			$ATTACK send 10.99.0.1 169.254.169.254
			test -n "$BARE" || $ATTACK send 8.8.8.8 1.1.1.1 224.0.0.1 255.255.255.255 2001:4860:4860::8888 ff02::1
			$ATTACK connect tcp 10.99.0.1:80 tcp 10.99.0.1:53 tcp 8.8.8.8:53 tcp "[2001:4860:4860::8888]:53"
			echo TRIED`},
	{id: "W06", script: `
			for r in 127.0.0.53 127.0.0.1 10.99.0.1 $(sed -n 's/^nameserver //p' /etc/resolv.conf); do
				$ATTACK connect tcp "$r:53"; $ATTACK ask "$r"
			done
			getent hosts example.com && echo WIN getent
			echo TRIED`},
	{id: "W09", script: `
			unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY NO_PROXY
			$ATTACK connect tcp 10.99.0.1:80 tcp 169.254.169.254:80
			grep -v -e '^Iface' /proc/net/route | sed 's/^/WIN /'
			echo TRIED`},
}
