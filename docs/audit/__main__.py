"""Write the page by hand: `python -m audit`, in this folder's parent."""

from audit.page import main

main()
