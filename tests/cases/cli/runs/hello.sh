cp hello.sh "$1"
