package types

// Registries is where container images are pulled from.
type Registries struct {
	// Where images are pulled from instead of the registry in their name: the registry's host as it stands in names of images
	// (docker.io for those without one) → mirror. "*" is every registry that has no entry of its own.
	Mirrors map[string]Mirror `yaml:"mirrors" example:"{docker.io: {endpoints: ['https://mirror.example.com']}}"`
	// How a registry or mirror is talked to: its host, with a port if it has one in its address → settings.
	Hosts map[string]RegistryHost `yaml:"hosts" example:"{'registry.example.com:5000': {username: edge, password: secret}}"`
}

// Mirror has the images of a registry.
type Mirror struct {
	// Addresses of mirrors, which are asked in this order: https://HOST[:PORT], or http:// for one without TLS.
	Endpoints []string `yaml:"endpoints" required:"true" example:"['https://mirror.example.com']"`
	// The addresses have the whole path of the API in them; otherwise /v2 is appended.
	OverridePath bool `yaml:"overridePath" example:"true"`
	// When no mirror has an image, the registry itself is asked. false for a machine that has no way to it.
	Fallback bool `yaml:"fallback" default:"true" example:"false"`
}

// RegistryHost is how a registry or mirror is talked to.
type RegistryHost struct {
	// Name of the user, with password.
	Username string `yaml:"username" example:"edge"`
	// Password of the user, or an access token that stands for it. A pod's imagePullSecrets go before it.
	Password string `yaml:"password" secret:"true" example:"secret"`
	// Identity token (an OAuth2 refresh token), instead of username and password.
	Token string `yaml:"token" secret:"true" example:"eyJhbGciOi..."`
	// Certificates of authorities that vouch for the host, PEM, besides the public ones.
	CA string `yaml:"ca" example:"-----BEGIN CERTIFICATE-----…"`
	// Talk to the host whatever its certificate says. Whoever is on the way can then change images.
	SkipVerify bool `yaml:"skipVerify" example:"true"`
}
