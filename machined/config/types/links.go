package types

// VLAN is an interface with the packets of one VLAN (IEEE 802.1Q) of another interface.
type VLAN struct {
	// Name of the interface that carries the VLAN. It needs no entry of its own.
	Parent string `yaml:"parent" required:"true" example:"eth0"`
	// Number of the VLAN, 1 to 4094.
	ID int `yaml:"id" required:"true" example:"5"`
}

// Bond is an interface that is several others together: for more bandwidth, or so that one may fail.
type Bond struct {
	// Names of the interfaces in the bond. They have no addresses of their own, and need no entries.
	Members []string `yaml:"members" required:"true" example:"eth0,eth1"`
	// How the members are used. active-backup: one at a time, no matter what they are plugged into. 802.3ad: LACP, with a switch that
	// does it too. balance-rr, balance-xor and broadcast: all, with a switch that is set up for it. balance-tlb and balance-alb: all,
	// with any switch.
	Mode string `yaml:"mode" enum:"active-backup|802.3ad|balance-rr|balance-xor|broadcast|balance-tlb|balance-alb" default:"active-backup" example:"802.3ad"`
	// The member to prefer while it works; for the modes active-backup, balance-tlb and balance-alb. Default: whichever works.
	Primary string `yaml:"primary" example:"eth0"`
	// How often the members are looked at for a carrier, in milliseconds, 10 to 10000.
	MIIMon int `yaml:"miimon" default:"100" example:"50"`
	// How often the switch is asked to send LACP packets, for the mode 802.3ad. slow: every 30 seconds. fast: every second.
	LACPRate string `yaml:"lacpRate" enum:"slow|fast" default:"slow" example:"fast"`
	// What chooses the member for a packet, for the modes 802.3ad, balance-xor and balance-tlb. layer2: MAC addresses. layer2+3: IP
	// addresses too. layer3+4: IP addresses and ports.
	HashPolicy string `yaml:"hashPolicy" enum:"layer2|layer2+3|layer3+4" default:"layer2" example:"layer3+4"`
}

// Bridge is an Ethernet switch in the machine, with the machine at one of its ports.
type Bridge struct {
	// Names of the interfaces that are its ports. They have no addresses of their own, and need no entries. An empty list is a
	// bridge for what pods plug into it.
	Members []string `yaml:"members" example:"eth1,eth2"`
	// Speak the Spanning Tree Protocol, so that a loop of cables does no harm. A port then takes 30 seconds to work.
	STP bool `yaml:"stp" default:"false" example:"true"`
}
