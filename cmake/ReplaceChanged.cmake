# cmake -D FROM=dir -D TO=dir -D NAMES=file -P: copies the named files that
# differ, so that what has not changed keeps its time.
file(STRINGS ${NAMES} names)
foreach(name ${names})
  configure_file(${FROM}/${name} ${TO}/${name} COPYONLY)
endforeach()
