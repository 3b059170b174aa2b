"""Makes the upstream kind `google` go to a double on loopback, in processes of a Sheaf that has this folder in PYTHONPATH.

Python imports a module of this name at its start. The product itself knows no way to do so.
"""

import os

from idp.upstream.kinds import google

google.Kind._place = os.environ["GOOGLE_STAND_IN"]
