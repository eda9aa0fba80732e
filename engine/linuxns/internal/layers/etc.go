//go:build linux && (amd64 || arm64)

package layers

// etcFiles are what programs of the host need of /etc, as patterns below it.
// Nothing here holds secrets on any distribution: where a directory mixes, as
// ssl does with its private keys, only the harmless part is listed.
var etcFiles = []string{
	// The dynamic linker; not ld.so.preload, which names what is not visible.
	"ld.so.cache", "ld.so.conf", "ld.so.conf.d",
	// Which program is meant.
	"alternatives",
	// Certificates and crypto policies.
	"ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "ca-certificates/extracted",
	"pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "crypto-policies",
	// Names, numbers, places.
	"nsswitch.conf", "host.conf", "gai.conf", "services", "protocols", "mime.types",
	"localtime", "timezone", "locale.conf", "locale.alias", "os-release", "debian_version", "shells", "inputrc",
	"bash.bashrc",
	// Languages.
	"java", "java-*-openjdk", "python3", "python3.*", "perl", "R", "dotnet", "matplotlibrc", "maven/m2.conf", "maven/logging",
	// Text, images, fonts.
	"fonts", "ImageMagick-*", "xml",
}

type stub struct{ name, text string }

// stubFiles are the files of /etc that tell about users and hosts: never the
// host's.
func stubFiles(hostname string) []stub {
	return []stub{
		{"passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n" +
			user + ":x:1000:1000:" + user + ":" + home + ":/bin/sh\n" +
			"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
		{"group", "root:x:0:\ntty:x:5:\n" + user + ":x:1000:\nnogroup:x:65534:\n"},
		{"hosts", "127.0.0.1 localhost " + hostname + "\n::1 localhost ip6-localhost ip6-loopback\n"},
		{"hostname", hostname + "\n"},
		{"resolv.conf", ""},
	}
}

func (b *builder) stubs(hostname string) {
	for _, s := range stubFiles(hostname) {
		b.file("/etc/"+s.name, s.text)
	}
}
