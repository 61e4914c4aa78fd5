"""`./script/bench drills`: the checker of `jobctl chaos drill`, held against rivals as well."""
