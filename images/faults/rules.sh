#!/bin/sh
# Rules in the network namespace that this runs in: put there, or taken away again, as one chain.
#   rules.sh drop CHAIN PORT              nothing goes to or comes from that port
#   rules.sh redirect CHAIN PORT UID TO   what goes there goes to the port TO, but for that user's
#   rules.sh clean CHAIN                  as if neither had been; again is no error
# nf_tables where the kernel has it (it needs CAP_NET_ADMIN alone), the older tables elsewhere.
set -eu
what=$1 chain=$2
tables=iptables-nft
$tables -w -n -L OUTPUT >/dev/null 2>&1 || tables=iptables-legacy

without() {
  while $tables -w "$@" -j "$chain" 2>/dev/null; do :; done
}

case $what in
drop)
  $tables -w -N "$chain"
  $tables -w -A "$chain" -p tcp --dport "$3" -j DROP
  $tables -w -A "$chain" -p tcp --sport "$3" -j DROP
  $tables -w -I OUTPUT -j "$chain"
  $tables -w -I INPUT -j "$chain"
  ;;
redirect)
  # Only new connections are redirected; those that there are get a reset and are made anew.
  $tables -w -t nat -N "$chain"
  $tables -w -t nat -A "$chain" -p tcp --dport "$3" -m owner ! --uid-owner "$4" -j REDIRECT --to-ports "$5"
  $tables -w -t nat -I OUTPUT -j "$chain"
  $tables -w -N "$chain"
  $tables -w -A "$chain" -p tcp --dport "$3" -m owner ! --uid-owner "$4" -j REJECT --reject-with tcp-reset
  $tables -w -I OUTPUT -j "$chain"
  ;;
clean)
  for table in filter nat; do
    without -t $table -D OUTPUT
    [ $table = nat ] || without -t $table -D INPUT
    $tables -w -t $table -F "$chain" 2>/dev/null || continue
    $tables -w -t $table -X "$chain"
  done
  ;;
esac
