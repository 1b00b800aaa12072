package plugin

const platformArch = "aarch64"
