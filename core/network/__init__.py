"""The bridge network: addresses, links, published ports and the firewall that guards them. IPv4 only."""
