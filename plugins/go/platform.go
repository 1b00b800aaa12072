package plugin

// The platform that this is compiled for, as forge spells it. A platform without such constants has no plugins in Go.
const platform = platformOS + "-" + platformArch + platformLibc
