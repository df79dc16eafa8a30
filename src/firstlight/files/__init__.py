"""Files: paths of the user, atomic writes, bounded reads, compressed files, encodings of texts, locks of folders."""

from firstlight.files.compressed import open_unpacked as open_unpacked
from firstlight.files.errors import cannot_read as cannot_read
from firstlight.files.errors import encodable as encodable
from firstlight.files.lock import LOCK_FILES as LOCK_FILES
from firstlight.files.lock import only_process as only_process
from firstlight.files.paths import output_file as output_file
from firstlight.files.paths import user_path as user_path
from firstlight.files.reading import read_bounded as read_bounded
from firstlight.files.reading import read_json as read_json
from firstlight.files.text import read_text as read_text
from firstlight.files.writing import atomic_write as atomic_write
from firstlight.files.writing import full_disk_message as full_disk_message
from firstlight.files.writing import is_disk_full as is_disk_full
from firstlight.files.writing import is_unfinished as is_unfinished
from firstlight.files.writing import naming as naming
from firstlight.files.writing import write_array as write_array
from firstlight.files.writing import write_csv as write_csv
from firstlight.files.writing import write_json as write_json
from firstlight.files.writing import write_text as write_text
