"""Objects that annotation files note for images: VOC XML, COCO JSON, and those of Oxford-IIIT Pet."""
