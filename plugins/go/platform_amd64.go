package plugin

const platformArch = "x86_64"
